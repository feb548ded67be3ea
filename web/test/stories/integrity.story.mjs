/** What a lying server would show: one value of one entry in its evidence. */
async function lie(page) {
	await page.route("**/log/evidence**", async (route) => {
		const answer = await route.fetch();
		const text = await answer.text();
		await route.fulfill({ response: answer, body: text.replace(/("t":"entry","seq":7,.*?"action":")[^"]+/, "$1user.nobody") });
	});
}

export default [
	{
		name: "verify",
		async run({ open, page, expect, shot }) {
			await open("/o/org_initech/integrity");
			await page.click(".integrity-check .button.primary");
			await page.waitForSelector(".integrity-outcome .proof-say.verified");
			expect(/unaltered and complete/.test(await page.innerText(".integrity-outcome")), "the outcome is not told");
			expect(/pinned in this browser/.test(await page.innerText(".integrity-facts")), "the key was not pinned");
			await shot("verified");
			// The next visit goes on where this one ended.
			await page.reload();
			await page.waitForSelector(".integrity-facts >> text=Previous check by you");
			expect((await page.locator(".proof-say.verified").count()) === 0, "green without a check");
		},
	},
	{
		name: "without-crypto",
		async run({ open, page, context }) {
			await context.addInitScript(() => Object.defineProperty(crypto, "subtle", { value: undefined }));
			await open("/o/org_initech/integrity");
			await page.click(".integrity-check .button.primary");
			await page.waitForSelector(".integrity-outcome .proof-say.verified");
		},
	},
	{
		name: "tampered",
		async run({ open, page, theme, expect, shot }) {
			await lie(page);
			await open("/o/org_initech/integrity");
			await page.click(".integrity-check .button.primary");
			await page.waitForSelector(".integrity-outcome .proof-say.failed");
			const banner = await page.innerText(".failure-banner");
			expect(/entry 7\b/.test(banner) && /leaf_mismatch/.test(banner) && /Computed/.test(banner), `the banner does not say what is wrong: ${banner}`);
			await shot("failed");
			// It stays on every page until somebody acknowledges it.
			await open("/o/org_initech/events");
			await page.waitForSelector(".failure-banner");
			await page.click(".failure-banner button:has-text('Acknowledge')");
			await page.fill("dialog[open] textarea", `a drill, ${theme}`);
			await page.click("dialog[open] .dialog-foot button");
			await page.waitForSelector(".failure-banner", { state: "detached" });
			await page.reload();
			await page.waitForSelector(".event-row[data-row] .proof-mark.failed");
			expect((await page.locator(".failure-banner").count()) === 0, "it is red again");
		},
	},
	{
		name: "unreachable",
		failures: ["/log/evidence"],
		async run({ open, page, expect }) {
			await page.route("**/log/evidence**", (route) => route.abort());
			await open("/o/org_initech/integrity");
			await page.click(".integrity-check .button.primary");
			await page.waitForSelector(".integrity-outcome .proof-say.unknown");
			expect((await page.locator(".proof-say.failed, .failure-banner").count()) === 0, "what cannot be reached is red");
		},
	},
	{
		name: "phone",
		viewport: { width: 390, height: 844 },
		async run({ open, page, expect }) {
			await open("/o/org_initech/integrity");
			await page.waitForSelector(".integrity-check .button.primary");
			const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
			expect(!wide, "the page scrolls sideways");
		},
	},
];
