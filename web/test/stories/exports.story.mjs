export default [
	{
		name: "make",
		async run({ open, page, expect, shot }) {
			await open("/o/org_acme/exports?new=1&q=outcome:denied");
			await page.waitForSelector("dialog [role=status] >> text=/\\d/");
			await shot("new");
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog", { state: "detached" });
			const row = page.locator(".table tbody tr").first();
			await row.locator("text=Download").waitFor();
			expect(/outcome:denied/.test(await row.innerText()), "the row does not say what is in it");
			const [file] = await Promise.all([page.waitForEvent("download"), row.locator("text=Download").click()]);
			expect(/\.csv/.test(file.suggestedFilename()), `the file is ${file.suggestedFilename()}`);
			await shot("list");
			await row.locator("a.mono").click();
			await page.waitForSelector("dialog dt >> text=SHA-256");
		},
	},
	{
		name: "refused",
		failures: ["/v1/"],
		async run({ open, page, expect }) {
			await open("/o/org_acme/exports?new=1");
			await page.fill("dialog input >> nth=0", "outcome:maybe (");
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog .field-error, dialog .banner.danger");
			expect((await page.inputValue("dialog input >> nth=0")) === "outcome:maybe (", "what was typed is gone");
		},
	},
];
