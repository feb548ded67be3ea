// A large organization: rows come before counts, scrolling loses nothing, and neither the page nor its memory grows. What takes how long
// is measured by `make bench`, in ../console.mjs: no story asserts a time.
import { scrollThrough, watch, weigh } from "../watch.mjs";

const org = "org_large";

/** Records n events that no two of fold into one row, 1,000 a request. */
async function fill(api, n) {
	const { size } = await api("GET", `/v1/organizations/${org}/summary`, undefined, org).catch(() => ({ size: 0 }));
	if (size >= n) return;
	const batches = Array.from({ length: n / 1000 }, (_, batch) => batch);
	const record = async () => {
		for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
			const events = Array.from({ length: 1000 }, (_, i) => ({
				action: "page.turned",
				actor: { type: "user", id: `usr_${i % 40}`, name: `Reader ${i % 40}` },
				targets: [{ type: "page", id: `${batch * 1000 + i}` }],
			}));
			await api("POST", "/v1/events", events, org);
		}
	};
	await Promise.all([record(), record(), record(), record()]);
}

/** The events of the fast size, and of the nightly one. */
const size = (fast) => (fast ? 102_000 : 1_000_000);

export default [
	{
		name: "scroll",
		themes: ["light"],
		axe: false,
		async run({ api, context, open, rows, page, expect, shot, fast }) {
			await fill(api, size(fast));
			await watch(context);
			const lost = [];
			page.on("requestfailed", (r) => lost.push(`${r.url()} ${r.failure()?.errorText}`));
			page.on("response", (r) => {
				if (r.status() >= 400) lost.push(`${r.url()} ${r.status()}`);
			});
			await open(`/o/${org}/events?q=action:page.turned&range=all&cols=seq,who,what`);
			await rows();
			// By day some rows of each page are looked at, by night all: a row that were missing would shift all that follow.
			const step = fast ? 300 : 0;
			const first = await scrollThrough(page, { to: 20_000, step });
			const before = await weigh(page);
			const rest = await scrollThrough(page, { to: 100_000, step, top: first.top });
			const after = await weigh(page);
			await shot("far");
			expect(first.wrong.length + rest.wrong.length === 0, `rows out of order: ${[...first.wrong, ...rest.wrong].slice(0, 5).join("; ")}`);
			expect(rest.row >= 100_000, `the list ends at row ${rest.row}`);
			expect(lost.length === 0, `requests were lost: ${lost.join("; ")}`);
			const nodes = Math.max(first.nodes, rest.nodes);
			expect(nodes < 2000, `${nodes} nodes`);
			const grown = after.heap - before.heap;
			expect(grown < 3_000_000, `the heap grew by ${grown} bytes from row 20,000 to row 100,000, to ${after.heap}`);
			// What was let go comes back.
			await page.evaluate(() => document.querySelector(".virtual").scrollTo(0, 0));
			await page.waitForFunction((top) => document.querySelector('[data-row="0"] .cell-seq')?.textContent === String(top), first.top);
			const moved = await page.evaluate(() => window.__seen.moved);
			expect(moved.length === 0, `the layout shifted: ${moved.slice(0, 5).join("; ")}`);
		},
	},
	{
		name: "rows-first",
		axe: false,
		async run({ context, open, rows, page, expect }) {
			await watch(context);
			const held = [];
			await page.route(/\/v1\/(facets|histogram|sentences|organizations\/[^/]+\/(summary|log\/info))/, (route) => held.push(route));
			await open("/o/org_acme/events");
			await rows();
			expect(held.length >= 2, "nothing was asked beside the rows");
			for (const route of held) await route.continue();
			await page.waitForSelector(".facet-row");
			await page.waitForSelector(".bar-all", { state: "attached" });
			const moved = await page.evaluate(() => window.__seen.moved);
			expect(moved.length === 0, `what came later moved the rows: ${moved.join("; ")}`);
		},
	},
];
