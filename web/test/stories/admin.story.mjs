export default [
	{
		name: "instance",
		async run({ open, page, expect, shot, theme }) {
			await open("/admin");
			await page.waitForSelector(".table td >> text=org_globex");
			await page.waitForSelector(".figures .figure");
			expect(/Entries\s+[\d,]+/.test(await page.innerText(".figures")), "the entries are not counted");
			await shot("all");
			await page.fill(".admin-search input", "INITE");
			await page.waitForFunction(() => document.querySelectorAll(".table tbody tr").length === 1);
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
