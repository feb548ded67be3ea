export default [
	{
		name: "first-event",
		async run({ api, open, page, theme, expect, shot }) {
			const org = `org_start_${theme}`;
			await api("POST", "/v1/organizations", { id: org, name: "Hooli" });
			await open(`/o/${org}/start`);
			await page.waitForSelector("text=Waiting for your first event");
			await page.click("[role=tab] >> text=Python");
			expect(/urllib/.test(await page.innerText("pre.command")), "the snippet is not Python");
			await shot("waiting");
			const event = {
				action: "invoice.sent",
				actor: { type: "user", id: "usr_1", name: "Ada Byron" },
				targets: [{ type: "invoice", id: "42", name: "Invoice 42" }],
			};
			await api("POST", "/v1/events", event, org);
			await page.waitForSelector(".start-row >> text=Ada Byron sent Invoice 42");
		},
	},
	{
		name: "unreachable",
		failures: ["/v1/events"],
		async run({ open, page }) {
			await page.route("**/v1/events?**", (route) => route.abort());
			await open("/o/org_acme/start");
			await page.waitForSelector(".banner.danger");
			await page.waitForSelector("pre.command");
		},
	},
];
