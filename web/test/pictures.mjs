// Makes the pictures of README.md and docs/ from a running server with the sample:
//   daybook dev --data /tmp/pictures & node web/test/pictures.mjs http://127.0.0.1:8080 "$(cat /tmp/pictures/dev.key)"
// with the packages of package.json beside it, or in the folder that NODE_PATH names. Every picture is of the product as it is.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(process.env.NODE_PATH ? join(process.env.NODE_PATH, "x") : import.meta.url)("playwright-core");
const [base, key] = process.argv.slice(2);
const out = join(here, "../../docs/pictures");

/** Name of the picture, theme, address, and what is done before it is taken. */
const pictures = [
	["events", "light", "/o/org_acme/events?q=action:invoice.*"],
	[
		"event",
		"dark",
		"/o/org_acme/events?q=action:invoice.updated",
		async (page) => {
			await page.click(".event-row[data-row='1']");
			await page.waitForSelector(".event-detail .diff");
		},
	],
	["timeline", "light", "/o/org_acme/targets/invoice/42"],
	[
		"integrity",
		"dark",
		"/o/org_acme/integrity",
		async (page) => {
			await page.click("main .button.primary");
			await page.waitForSelector(".proof, .verified", { timeout: 120_000 });
			await page.waitForTimeout(500);
		},
	],
];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
for (const [name, theme, path, act] of pictures) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 760 }, colorScheme: theme });
	const page = await context.newPage();
	await page.goto(`${base}/signin`);
	await page.fill("input[type=password]", key);
	await page.keyboard.press("Enter");
	await page.waitForURL((url) => url.pathname.startsWith("/o/"));
	await page.goto(base + path);
	await page.waitForSelector(".event-row .cell, .moment, .page-body");
	await page.waitForTimeout(800);
	await act?.(page);
	await page.screenshot({ path: join(out, `${name}.png`) });
	await context.close();
}
await browser.close();
