// Measures the console over a large organization: how long after the answer the rows are painted, and what scrolling costs. Prints one
// line of JSON.
//
//   node console.mjs --url URL --key KEY --tools FOLDER --org ORG [--rounds N] [--rows N]
import { parseArgs } from "node:util";
import { openBrowser, signedIn } from "./browser.mjs";
import { responseToPaint, scrollThrough, watch, weigh } from "./watch.mjs";

const { values: o } = parseArgs({
	options: {
		url: { type: "string" },
		key: { type: "string" },
		tools: { type: "string" },
		org: { type: "string" },
		rounds: { type: "string", default: "15" },
		rows: { type: "string", default: "100000" },
	},
});

const at = (sorted, share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] * 10) / 10;
const spread = (all) => {
	const sorted = all.toSorted((a, b) => a - b);
	return { median: at(sorted, 0.5), p95: at(sorted, 0.95), max: at(sorted, 1) };
};

const browser = await openBrowser(o.tools);
try {
	const state = await signedIn(browser, o.url, o.key);
	const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", timezoneId: "UTC", storageState: state });
	await watch(context);
	const path = `${o.url}/o/${o.org}/events`;
	const rounds = Number(o.rounds);

	const openings = [];
	for (let i = 0; i < rounds; i++) {
		const page = await context.newPage();
		await page.goto(path);
		openings.push(await responseToPaint(page));
		await page.close();
	}

	const page = await context.newPage();
	await page.goto(path);
	await responseToPaint(page);
	const searches = [];
	for (const query of [
		"action:invoice.sent",
		"actor:usr_3",
		"outcome:failure",
		"backus",
		"action:document.*",
		"outcome:denied",
		"target.type:invoice",
		"actor:usr_7",
		"action:user.*",
		"",
	]) {
		await page.waitForFunction(() => !document.querySelector(".facets[aria-busy=true], .histogram[aria-busy=true]"));
		await page.evaluate(() => performance.clearResourceTimings());
		await page.fill("[data-query]", query);
		await page.keyboard.press("Enter");
		searches.push(await responseToPaint(page));
	}

	await page.goto(`${path}?range=all&cols=seq,who,what&q=-action:daybook.*`);
	await responseToPaint(page);
	let lost = 0;
	page.on("requestfailed", () => lost++);
	page.on("response", (r) => (lost += r.status() >= 400 ? 1 : 0));
	const before = await weigh(page);
	const start = performance.now();
	const scroll = await scrollThrough(page, { to: Number(o.rows), folded: true });
	scroll.seconds = (performance.now() - start) / 1000;
	const after = await weigh(page);
	const shifts = await page.evaluate(() => window.__seen.shifts);
	console.log(
		JSON.stringify({
			bench: "console",
			openings: openings.length,
			opening_paint_ms: spread(openings.map((x) => x.ms)),
			opening_answer_ms: spread(openings.map((x) => x.answer)),
			searches: searches.length,
			search_paint_ms: spread(searches.map((x) => x.ms)),
			search_answer_ms: spread(searches.map((x) => x.answer)),
			scroll,
			heap_before: before.heap,
			heap_after: after.heap,
			lost,
			shifts,
			moved: await page.evaluate(() => window.__seen.moved.slice(0, 10)),
		}),
	);
} finally {
	await browser.close();
}
