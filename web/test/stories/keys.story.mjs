export default [
	{
		name: "make-and-revoke",
		async run({ open, page, url, expect, shot, theme }) {
			const name = `ci-${theme}`;
			await open("/o/org_globex/settings/keys?new=1");
			await page.fill("dialog input >> nth=0", name);
			await shot("new");
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog code.command >> text=dbk_");
			await shot("once");
			const secret = await page.innerText("dialog code.command");
			const asks = () => fetch(`${url}/v1/whoami`, { headers: { Authorization: `Bearer ${secret}` } });
			expect((await asks()).status === 200, "the key does not work");
			await page.click("text=I have copied it");
			const row = page.locator("tr", { hasText: name });
			await row.locator("text=Revoke").click();
			await page.click("dialog .button.danger");
			await row.waitFor({ state: "detached" });
			expect((await asks()).status === 401, "the revoked key works");
			expect(!(await page.content()).includes(secret), "the secret is still in the page");
		},
	},
	{
		name: "refused",
		failures: ["/v1/keys"],
		async run({ open, page }) {
			await open("/o/org_globex/settings/keys?new=1");
			await page.waitForSelector("dialog");
			const body = JSON.stringify({ title: "Forbidden", status: 403, code: "forbidden", detail: "This key lacks the scope manage.", request_id: "req_1" });
			await page.route("**/v1/keys", (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body }));
			await page.fill("dialog input >> nth=0", "ci");
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog .banner.danger >> text=manage");
		},
	},
];
