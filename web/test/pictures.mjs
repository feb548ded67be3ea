// Makes the pictures of README.md and docs/ from a running server with the sample, each in light and dark:
//   daybook dev --data /tmp/pictures & node web/test/pictures.mjs http://127.0.0.1:8080 "$(cat /tmp/pictures/dev.key)"
// with the packages of package.json beside it, or in the folder that NODE_PATH names. Every picture is of the product as it is.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(process.env.NODE_PATH ? join(process.env.NODE_PATH, "x") : import.meta.url)("playwright-core");
const [base, key] = process.argv.slice(2);
const out = join(here, "../../docs/pictures");

/** Name of the picture, address, what is there when it is all there, and what is done before it is taken. */
const pictures = [
	["events", "/o/org_acme/events?q=action:invoice.*", ".event-row .cell"],
	[
		"event",
		"/o/org_acme/events?q=action:invoice.updated",
		".event-row .cell",
		async (page) => {
			await page.click(".event-row[data-row='1']");
			await page.waitForSelector(".event-detail .diff");
		},
	],
	["timeline", "/o/org_acme/targets/invoice/42", ".moment"],
	["versions", "/o/org_acme/targets/invoice/42/versions", ".versions-table, .versions-sample"],
	[
		"integrity",
		"/o/org_acme/integrity",
		".integrity-check .button.primary",
		async (page) => {
			await page.click(".integrity-check .button.primary");
			await page.waitForSelector(".integrity-outcome .proof-say.verified", { timeout: 120_000 });
		},
	],
	[
		"viewer",
		"/o/org_acme/settings/viewer",
		".viewer-allowed",
		async (page) => {
			await page.click("text=Show the viewer");
			await page.waitForSelector("daybook-viewer footer .ok", { timeout: 120_000 });
			await page.locator("daybook-viewer").scrollIntoViewIfNeeded();
			await page.evaluate(() => document.querySelector("daybook-viewer").scrollIntoView({ block: "center" }));
		},
	],
];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
for (const theme of ["light", "dark"]) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 760 }, colorScheme: theme, locale: "en-GB", timezoneId: "UTC" });
	const page = await context.newPage();
	await page.goto(`${base}/signin`);
	await page.fill("input[type=password]", key);
	await page.keyboard.press("Enter");
	await page.waitForURL((url) => url.pathname.startsWith("/o/"));
	for (const [name, path, ready, act] of pictures) {
		await page.goto(base + path);
		await page.waitForSelector(ready);
		await act?.(page);
		await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
		await page.waitForTimeout(300); // a frame after the last answer
		await page.mouse.move(640, 4);
		await page.screenshot({ path: join(out, `${name}${theme === "dark" ? "-dark" : ""}.png`) });
		console.log(`${name} ${theme}`);
	}
	await context.close();
}
await browser.close();
