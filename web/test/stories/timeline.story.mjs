export default [
	{
		name: "target",
		async run({ api, open, page, expect, shot }) {
			await open("/o/org_acme/timelines");
			await page.waitForSelector(".page-body a[href*='/targets/']");
			await shot("find");
			const { entries } = await api("GET", "/v1/events?q=has:changed+action:invoice.*&limit=1");
			const { type, id } = entries[0].targets[0];
			await open(`/o/org_acme/targets/${encodeURIComponent(type)}/${encodeURIComponent(id)}?from=now-90d`);
			await page.waitForSelector(".timeline-scroll li, .timeline-scroll article");
			expect((await page.innerText("h1")).includes(`${type}:${id}`), "the heading does not say what it is about");
		},
	},
	{
		name: "more",
		axe: false,
		async run({ api, open, page, expect }) {
			const { facets } = await api("GET", "/v1/facets?fields=actor.id&q=actor.type:user&top=1");
			await open(`/o/org_acme/actors/user/${facets["actor.id"].values[0].value}?all=1`);
			await page.waitForSelector(".moment");
			const before = await page.locator(".moment").count();
			await page.click(".event-end .button");
			await page.waitForFunction((n) => document.querySelectorAll(".moment").length > n, before);
			expect(before <= 100, `the first page has ${before} moments`);
		},
	},
	{
		name: "unknown",
		async run({ open, page }) {
			await open("/o/org_acme/targets/invoice/none-such");
			await page.waitForSelector(".empty");
		},
	},
	{
		name: "unreachable",
		failures: ["/v1/events"],
		async run({ open, page }) {
			await page.route("**/v1/events?**", (route) => route.abort());
			await open("/o/org_acme/targets/invoice/42");
			await page.waitForSelector(".banner.danger");
		},
	},
];
