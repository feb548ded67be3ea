/** An organization of its own, with three events about somebody. */
async function fresh(api, theme, name) {
	const id = `org_keeping_${name}_${theme}`;
	await api("POST", "/v1/organizations", { id, name: "Hooli" });
	for (const n of [1, 2, 3]) {
		const actor = { type: "user", id: "usr_9", name: "Lin Wu", email: "lin@example.com" };
		await api("POST", "/v1/events", { action: "invoice.sent", actor, targets: [{ type: "invoice", id: String(n) }] }, id);
	}
	return id;
}

export default [
	{
		name: "rules",
		async run({ api, open, page, theme, expect, shot }) {
			const org = await fresh(api, theme, "rules");
			await open(`/o/${org}/settings/retention`);
			await page.click("text=Add rule");
			await page.fill(".table input >> nth=0", "action:auth.*");
			await page.fill(".table input >> nth=1", "400d");
			await page.waitForSelector(".plan .bullets >> text=action:auth");
			await shot("plan");
			await page.locator(".page-body .button.primary").click();
			await page.waitForSelector(".facts >> text=key_");
			const { rules } = await api("GET", "/v1/retention", undefined, org);
			expect(rules.length === 1 && rules[0].match === "action:auth.*", "the rule is not in force");
		},
	},
	{
		name: "rules-refused",
		failures: ["/v1/retention"],
		async run({ open, page, expect }) {
			await open("/o/org_initech/settings/retention");
			await page.click("text=Add rule");
			await page.fill(".table input >> nth=1", "soon");
			await page.waitForSelector(".banner.danger");
			expect((await page.inputValue(".table input >> nth=1")) === "soon", "what was typed is gone");
		},
	},
	{
		name: "hold-and-erase",
		async run({ api, open, page, theme, expect, shot }) {
			const org = await fresh(api, theme, "erase");
			await open(`/o/${org}/settings/retention?tab=holds&new=1`);
			await page.fill("dialog input >> nth=0", "target:invoice:1");
			await page.fill("dialog input >> nth=1", "Case 118");
			await page.click("dialog .button.primary");
			await page.waitForSelector(".table >> text=Case 118");
			await shot("holds");
			await page.goto(`${page.url().split("?")[0]}?tab=erasures&new=1`);
			await page.fill("dialog input >> nth=0", "actor.id:usr_9 -target:invoice:1");
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog .bullets");
			expect(await page.locator("dialog .button.danger").isDisabled(), "it can be erased without a reason");
			await page.fill("dialog input >> nth=0", "Request 7");
			await page.fill("dialog input >> nth=1", "2");
			await shot("preview");
			await page.click("dialog .button.danger");
			await page.waitForSelector(".table >> text=Certificate");
			const { entries } = await api("GET", "/v1/events?q=action:invoice.sent", undefined, org);
			expect(entries.filter((e) => e.actor.email === "lin@example.com").length === 1, "what is held is gone, or what was erased is there");
		},
	},
	{
		name: "held",
		async run({ api, open, page, theme, expect }) {
			const org = await fresh(api, theme, "held");
			await api("POST", "/v1/holds", { query: "target:invoice:1", reason: "Case 118" }, org);
			await open(`/o/${org}/settings/retention?tab=erasures&new=1`);
			await page.fill("dialog input >> nth=0", "actor.id:usr_9");
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog .danger >> text=hold_");
			await page.fill("dialog input >> nth=0", "Request 7");
			expect(await page.locator("dialog .dialog-foot .button.danger").isDisabled(), "what is held can be erased");
		},
	},
];
