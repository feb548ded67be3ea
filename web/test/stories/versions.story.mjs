/** Records what happened to an invoice of its own and returns its id. */
async function invoice(api, theme, events) {
	const id = `v-${theme}-${Math.random().toString(36).slice(2, 8)}`;
	for (const [action, more] of events) {
		const event = {
			action,
			actor: { type: "user", id: "usr_7", name: "Grace Hopper" },
			targets: [{ type: "invoice", id, name: "Invoice 42" }],
			...more,
		};
		// A number that JavaScript cannot hold must come back with its digits.
		await api("POST", "/v1/events", JSON.stringify(event).replaceAll('"BIG"', "12345678901234567890.10"));
	}
	return id;
}

const states = [
	{ amount: "1000.00", due: "2027-07-24", note: "Net 30 days, paid by card", lines: [{ sku: "a", qty: 1 }], iban: null },
	{ amount: "1200.00", due: "2027-07-24", note: "Net 30 days, paid by card", lines: [{ sku: "a", qty: 1 }], iban: null },
	{ amount: "1450.00", due: "2027-12-18", note: "Net 45 days, paid by bank transfer", lines: [{ sku: "a", qty: 4 }], vat: "DE811" },
];

const lived = [
	["invoice.created", { after: states[0] }],
	["invoice.updated", { before: states[0], after: states[1] }],
	["invoice.updated", { before: states[1], after: states[2] }],
];

const sideways = (page) => page.evaluate(() => [document.documentElement, document.querySelector("main")].some((e) => e.scrollWidth > e.clientWidth));

export default [
	{
		name: "compare",
		async run({ open, page, expect, shot, api, axe, theme }) {
			const id = await invoice(api, theme, lived);
			await open(`/o/org_acme/targets/invoice/${id}`);
			await page.click(".page-tabs >> text=Versions");
			await page.waitForSelector(".versions-table");
			await page.waitForSelector(".compare .diff");
			expect((await page.locator(".versions-table tbody tr").count()) === 3, "not three versions");
			expect(/is exact/.test(await page.innerText(".page-body")), "it is not said that the history is exact");
			expect((await page.innerText("h1")).includes("Invoice 42"), "the name is missing");
			await shot("newest");
			await page.selectOption(".compare select >> nth=0", "1");
			await page.waitForURL(/a=1&b=3|b=3&a=1/);
			await page.waitForFunction(() => document.querySelector(".compare .diff")?.innerText.includes("1000.00"));
			const shown = await page.innerText(".compare .diff");
			expect(/2027-07-24 → 2027-12-18/.test(shown), `a date is taken apart: ${shown}`);
			await page.reload();
			await page.waitForSelector(".compare .diff");
			expect((await page.inputValue(".compare select >> nth=0")) === "1", "the address does not bring the choice back");
			await page.click("[aria-label='State of v1']");
			await page.waitForSelector("dialog[open] pre");
			expect((await page.innerText("dialog[open] pre")).includes('"amount": "1000.00"'), "the state is not shown");
			await shot("state");
			await axe();
			await page.keyboard.press("Escape");
			await page.waitForSelector("dialog", { state: "detached" });
		},
	},
	{
		name: "restore",
		async run({ open, page, expect, shot, api, axe, theme }) {
			const id = await invoice(api, theme, [
				["invoice.created", { after: { ...states[0], big: "BIG" } }],
				["invoice.updated", { before: { ...states[0], big: "BIG" }, after: states[2] }],
			]);
			await open(`/o/org_acme/targets/invoice/${id}/versions`);
			await page.click("[aria-label='Restore… v1']");
			await page.waitForSelector("dialog[open] .diff");
			expect(/would change now/.test(await page.innerText("dialog[open]")), "it is not said what would change");
			await page.fill("dialog[open] input:not([type=checkbox])", "the change was a mistake");
			await shot("plan");
			await axe();
			await page.click("dialog[open] >> text=Record the restore");
			await page.waitForSelector("dialog", { state: "detached" });
			await page.waitForFunction(() => document.querySelectorAll(".versions-table tbody tr").length === 3);
			expect((await page.innerText(".versions-table tbody tr >> nth=0")).includes("invoice.restored"), "the restore is not the newest version");
			const { versions } = await api("GET", `/v1/targets/invoice/${id}/versions`);
			const entry = await api("GET", `/v1/events/${versions[0].id}`);
			expect(entry.reason === "the change was a mistake" && entry.actor.type === "api_key", `recorded as ${JSON.stringify(entry)}`);
			const compared = await api("GET", `/v1/targets/invoice/${id}/versions?a=1&b=3`);
			expect(compared.compared.changes.length === 0 && compared.exact, "what was restored is not what was planned");
		},
	},
	{
		name: "incomplete",
		viewport: { width: 390, height: 844 },
		async run({ open, page, expect, shot, api, theme }) {
			const id = await invoice(api, theme, [
				["invoice.updated", { changes: [{ path: "/amount", old: 1, new: 2 }] }],
				["invoice.updated", { changes: [{ path: "/password", new: { $masked: true } }] }],
				["invoice.deleted", {}],
			]);
			await open(`/o/org_acme/targets/invoice/${id}/versions?a=1&b=2`);
			await page.waitForSelector(".compare .diff");
			expect(/does not hold how it began/.test(await page.innerText(".page-body")), "it is not said why the history is incomplete");
			expect(!/\$masked/.test(await page.innerText(".compare .diff")), "a masked value is shown as JSON");
			expect(!(await sideways(page)), "the page scrolls sideways");
			await page.click("[aria-label='Restore… v2']");
			await page.waitForSelector("dialog[open] .versions-unknown");
			expect(/It was deleted/.test(await page.innerText("dialog[open]")), "it is not said that it was deleted");
			expect(/\/password/.test(await page.innerText("dialog[open]")), "it is not said what is masked");
			await shot("masked");
			await page.click("dialog[open] >> text=Record the restore");
			await page.waitForSelector("dialog", { state: "detached" });
			await page.waitForFunction(() => document.querySelectorAll(".versions-table tbody tr").length === 4);
		},
	},
	{
		name: "none",
		async run({ open, page, expect, api, theme }) {
			const id = await invoice(api, theme, [["invoice.sent", {}]]);
			await open(`/o/org_acme/targets/invoice/${id}/versions`);
			await page.waitForSelector(".versions-sample");
			expect(!(await sideways(page)), "the page scrolls sideways");
			expect((await page.innerText(".versions-sample")).includes(id), "the sample is not of this thing");
		},
	},
];
