/** Views belong to an organization: each theme has one of its own. */
const orgOf = (theme) => (theme === "light" ? "org_acme" : "org_initech");

async function clear(api, org) {
	const { views } = await api("GET", "/v1/views", undefined, org);
	for (const v of views) await api("DELETE", `/v1/views/${v.id}`, undefined, org);
}

const choose = async (page, name, row) => {
	await page.click(`[aria-label='What to do with “${name}”']`);
	await page.click(`.popup:popover-open >> text=${row}`);
};

export default [
	{
		name: "list",
		async run({ open, quiet, page, expect, shot, api, theme }) {
			const org = orgOf(theme);
			await clear(api, org);
			const save = (view) => api("POST", "/v1/views", view, org);
			await save({ name: "Privileged changes", search: "q=action%3Arole.*%2Cmember.*&from=now-7d", shared: true, default: true });
			await save({ name: "Last month's exports", search: "q=action%3Adaybook.export.*&from=now-30d&to=now-1d", shared: true });
			await save({ name: "My failures", search: "q=outcome%3Afailure%2Cdenied" });
			await open(`/o/${org}/views`);
			await page.waitForSelector(".view");
			expect((await page.locator(".view").count()) === 3, "not three views");
			await shot("list");
			await choose(page, "My failures", "Share with everybody");
			await page.waitForFunction(() => document.querySelectorAll(".views").length === 1);
			await choose(page, "My failures", "Edit…");
			await page.waitForSelector("dialog[open]");
			await page.fill("dialog[open] input >> nth=0", "Failures");
			await page.fill("dialog[open] input >> nth=1", "outcome:failure");
			await shot("edit");
			await page.keyboard.press("Enter");
			await page.waitForSelector(".view-name >> text=Failures");
			await choose(page, "Failures", "Everybody begins with it");
			await page.waitForFunction(() => /Failures/.test(document.querySelector(".view:has(.badge)")?.innerText ?? ""));
			const gone = page.waitForResponse((r) => r.request().method() === "DELETE" && r.status() === 204);
			await choose(page, "Privileged changes", "Delete");
			await page.click(".toast >> text=Undo"); // at once: it is offered for a while
			await gone;
			await page.waitForSelector(".toast >> text=Undo", { state: "detached" });
			await quiet();
			expect((await page.locator(".view").count()) === 3, "what was deleted did not come back");
			// The console begins with the default view, and a view has an address.
			await open(`/o/${org}`);
			await page.waitForURL(/\/events\?.*q=outcome:failure|\/events\?.*outcome%3Afailure/);
			await open(`/o/${org}/views/privileged-changes`);
			await page.waitForURL(/\/events\?.*action.*role/);
			await clear(api, org);
			await open(`/o/${org}/views`);
			await page.waitForSelector(".empty");
			await shot("none");
		},
	},
	{
		name: "gone",
		failures: ["/v1/views/"],
		async run({ open, page, expect }) {
			await open("/o/org_acme/views/never-was");
			await page.waitForSelector(".empty");
			expect(/never-was/.test(await page.innerText(".empty")), "it is not said which view is gone");
		},
	},
	{
		name: "phone",
		viewport: { width: 390, height: 844 },
		async run({ open, page, expect }) {
			const by = { type: "api_key", id: "key_1" };
			const one = (n, more) => ({
				id: `view_${n}`,
				slug: `v${n}`,
				by,
				created_at: "2026-11-22T10:00:00Z",
				updated_at: "2026-11-22T10:00:00Z",
				default: false,
				...more,
			});
			await page.route("**/v1/views", (route) =>
				route.fulfill({
					json: {
						views: [
							one(1, { name: "Privileged changes", search: "q=action%3Arole.*%2Cmember.*&from=now-7d", shared: true, default: true }),
							one(2, { name: `A ${"very ".repeat(12)}long name`, search: `q=${"target%3Ainvoice%3A42%20OR%20".repeat(8)}x`, shared: false }),
						],
					},
				}),
			);
			await open("/o/org_acme/views");
			await page.waitForSelector(".view");
			const wide = await page.evaluate(() => [document.documentElement, document.querySelector("main")].some((e) => e.scrollWidth > e.clientWidth));
			expect(!wide, "the page scrolls sideways");
			const small = await page.evaluate(() => [...document.querySelectorAll(".view button")].some((b) => b.getBoundingClientRect().height < 24));
			expect(!small, "a button is too small");
		},
	},
];
