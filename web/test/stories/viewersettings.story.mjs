/** An organization of its own: other stories set theirs. */
async function fresh(api, theme, name) {
	const id = `org_viewer_${name}_${theme}`;
	await api("POST", "/v1/organizations", { id, name: "Hooli" });
	await api(
		"POST",
		"/v1/events",
		{ action: "invoice.sent", actor: { type: "user", id: "usr_1", name: "Ada Byron" }, targets: [{ type: "invoice", id: "42", name: "Invoice 42" }] },
		id,
	);
	return id;
}

export default [
	{
		name: "try",
		async run({ api, open, page, theme, expect, shot }) {
			const org = await fresh(api, theme, "try");
			await open(`/o/${org}/settings/viewer`);
			await page.fill("textarea", "https://app.acme.com\nhttps://www.acme.com");
			await page.click(".viewer-allowed .button.primary");
			await page.waitForSelector(".viewer-allowed >> text=Set");
			expect((await api("GET", "/v1/viewer-settings", undefined, org)).origins.length === 2, "the origins are not saved");
			await page.click("text=Show the viewer");
			await page.waitForSelector("daybook-viewer .row >> text=Ada Byron");
			await page.waitForSelector("daybook-viewer footer .ok");
			await page.fill(".viewer-theme input >> nth=4", "#0a6b4b");
			await page.waitForFunction(() => getComputedStyle(document.querySelector("daybook-viewer")).getPropertyValue("--accent").trim() === "#0a6b4b");
			await page.selectOption(".viewer-theme select >> nth=1", "de");
			await page.waitForSelector("daybook-viewer h2 >> text=Aktivität");
			await shot("shown");
			expect(/lang="de"/.test(await page.innerText("pre.command")), "the snippet does not follow");
			await page.click("text=Mint a test token");
			await page.waitForSelector("dialog code.command >> text=eyJ");
		},
	},
	{
		name: "refused",
		failures: ["/v1/viewer"],
		async run({ api, open, page, theme }) {
			const org = await fresh(api, theme, "refused");
			await open(`/o/${org}/settings/viewer`);
			await page.fill("textarea", "https://app.acme.com\napp.acme.com/path");
			await page.click(".viewer-allowed .button.primary");
			await page.waitForSelector(".viewer-allowed .field-error >> text=app.acme.com/path");
			await page.fill("[placeholder='-action:internal.*']", "(outcome:");
			await page.click("text=Show the viewer");
			await page.waitForSelector(".field-error >> nth=1");
		},
	},
];
