export default [
	{
		name: "by-key",
		anonymous: true,
		failures: ["/v1/whoami", "/v1/session"],
		async run({ page, open, expect, key }) {
			await open("/o/org_acme/events?q=outcome:denied");
			await page.waitForURL(/\/signin\?next=/);
			await page.fill("input[type=password]", "dbk_wrong");
			await page.keyboard.press("Enter");
			await page.waitForSelector(".field-error");
			await page.fill("input[type=password]", key);
			await page.keyboard.press("Enter");
			await page.waitForSelector(".event-row[data-row]");
			expect(page.url().includes("q=outcome:denied"), `the sign-in led to ${page.url()}`);
			const cookies = await page.context().cookies();
			expect(
				cookies.some((c) => c.httpOnly && c.sameSite === "Lax"),
				"the cookie is not HttpOnly and SameSite=Lax",
			);
		},
	},
	{
		name: "ended",
		failures: ["/v1/"],
		async run({ page, open, rows, expect, key, context }) {
			await open("/o/org_acme/events");
			await rows();
			await context.clearCookies();
			await page.reload().catch(() => undefined);
			await page.waitForURL(/\/signin/);
			await page.fill("input[type=password]", key);
			await page.keyboard.press("Enter");
			await rows();
			await context.clearCookies();
			await page.fill("[data-query]", "outcome:denied");
			await page.keyboard.press("Enter");
			await page.waitForSelector("dialog[open].dialog");
			expect((await page.locator(".event-head").count()) === 1, "the page is gone behind the sign-in");
		},
	},
	{
		name: "sign-out",
		fast: false,
		failures: ["/v1/whoami"],
		async run({ page, open, rows, api, expect }) {
			await open("/o/org_acme/events");
			await rows();
			void api;
			await page.click("[aria-label=You]");
			await page.waitForSelector(".popup:popover-open");
			expect(await page.locator(".popup:popover-open [role=menuitem]").count(), "the menu is empty");
		},
	},
];
