/** The instance with what a quiet one does not have: work under way, and clocks that are wrong. */
async function busy(page) {
	await page.route("**/v1/instance", async (route) => {
		const answer = await route.fetch();
		const body = await answer.json();
		body.node = {
			...body.node,
			name: "audit-1",
			erasures_overdue: 2,
			clocks: { ahead_s: 95.5, ahead_org: "org_globex", late_s: 5400, late_org: "org_acme", over_s: 900 },
		};
		const asked_at = new Date(Date.now() - 180_000).toISOString();
		const job = { done: 0, of: 0, asked_at, started_at: asked_at };
		body.jobs = [
			{ ...job, kind: "export", id: "exp_01m81yf3enff1vw3r1anh9fffb", org: "org_acme", state: "running", done: 2_100_000, of: 2_600_000 },
			{ ...job, kind: "export", id: "exp_01m81yf3g6esbvbcsc4rwcjcq0", org: "org_globex", state: "pending", started_at: null },
			{ ...job, kind: "erase_organization", id: "ers_01m8054e3bek9amg680j6srjmm", org: "org_old", state: "awaiting_approval", started_at: null },
		];
		await route.fulfill({ response: answer, json: body });
	});
}

export default [
	{
		name: "busy",
		async run({ open, page, expect, shot }) {
			await busy(page);
			await open("/admin");
			await page.waitForSelector("#jobs progress");
			await page.waitForSelector("#organizations .table td >> text=org_globex");
			const text = await page.innerText(".admin");
			for (const want of [
				"95.5 s",
				"in org_globex",
				"2 erasures are not carried out",
				"80 %",
				"s left",
				"waits for a second person",
				"audit-1",
				"this node does it for all",
				"90 min",
			])
				expect(text.includes(want), `it does not say “${want}”: ${text}`);
			expect((await page.getAttribute(".figure.warn a", "href")).startsWith("/o/org_globex/events"), "the clock leads nowhere");
			await shot("all");
			await page.setViewportSize({ width: 390, height: 844 });
			expect(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), "the page scrolls sideways");
			await page.locator("#jobs").scrollIntoViewIfNeeded();
			await shot("phone");
		},
	},
	{
		name: "instance",
		async run({ open, page, expect, shot, theme }) {
			await open("/admin");
			await page.waitForSelector(".table td >> text=org_globex");
			await page.waitForSelector(".figures .figure");
			expect(/Entries\s+[\d,]+/.test(await page.innerText(".figures")), "the entries are not counted");
			await shot("all");
			await page.fill(".admin-search input", "INITE");
			await page.waitForFunction(() => document.querySelectorAll("#organizations tbody tr").length === 1);
			expect(/name=INITE/.test(page.url()), "the search is not in the address");
			await page.click("text=New organization");
			await page.fill("dialog input >> nth=0", "Hooli");
			await page.fill("dialog input >> nth=1", `org_admin_${theme}`);
			await shot("new");
			await page.click("dialog .button.primary");
			await page.waitForURL(`**/o/org_admin_${theme}/start`);
			await page.waitForSelector("text=Waiting for your first event");
			await page.waitForSelector("text=Hooli");
		},
	},
	{
		name: "sections",
		async run({ open, page, expect, shot, url }) {
			await open("/admin/storage");
			await page.waitForSelector(".figures .figure");
			expect((await page.locator("#organizations, #jobs").count()) === 0, "the storage's address shows other sections");
			await page.click(".figures a[href='/admin/orgs'] >> nth=0");
			await page.waitForSelector("#organizations .table td >> text=org_globex");
			expect((await page.locator(".figures, #jobs").count()) === 0, "the address of the organizations shows other sections");
			await shot("orgs");
			await page.click(".admin-sections >> text=Jobs");
			await page.waitForSelector("#jobs");
			await page.click(".admin-sections >> text=Licences");
			await page.waitForSelector(".licences");
			await page.click(".admin-sections >> text=All");
			await page.waitForSelector(".figures");
			await page.waitForSelector("#organizations");
			await open("/admin/nowhere");
			await page.waitForSelector(".empty");
			const docs = await page.request.get(`${url}/docs`);
			expect(docs.ok() && docs.url().endsWith("/docs/api"), `/docs leads to ${docs.url()}`);
		},
	},
	{
		name: "taken",
		failures: ["/v1/organizations"],
		async run({ open, page }) {
			await open("/admin?new=1");
			await page.fill("dialog input >> nth=0", "Acme");
			await page.fill("dialog input >> nth=1", "org acme!");
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog .field-error, dialog .banner.danger");
		},
	},
	{
		name: "no-right",
		failures: ["/v1/instance"],
		async run({ open, page }) {
			const body = JSON.stringify({ title: "Forbidden", status: 403, code: "forbidden", detail: "This key lacks the scope operate.", request_id: "req_1" });
			await page.route("**/v1/instance", (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body }));
			await open("/admin");
			await page.waitForSelector(".banner.danger >> text=operate");
			await page.waitForSelector(".table", { state: "detached" });
		},
	},
];
