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
		// As many pixels as 5,000,000 rows: more than an element can be high in any browser. The rows are few and very high.
		name: "longest",
		themes: ["light"],
		axe: false,
		async run({ open, rows, page, expect }) {
			const count = 3000;
			const perPage = 1000;
			await page.route("**/v1/events?**", (route) => {
				const top = Number(new URL(route.request().url()).searchParams.get("cursor") ?? count);
				const entries = Array.from({ length: perPage }, (_, i) => ({
					org,
					seq: top - 1 - i,
					id: `evt_${top - 1 - i}`,
					received_at: "2026-11-22T10:00:00Z",
					leaf_hash: "",
					action: "page.turned",
					actor: { type: "user", id: `u${i}` },
				}));
				const searched = { from: "", to: "", days: 1, of_days: 1, blocks: 1, complete: true };
				return route.fulfill({
					json: { entries, next_cursor: top > perPage ? String(top - perPage) : null, size: count, query: "", from: null, to: null, searched },
				});
			});
			await page.addInitScript(() => addEventListener("DOMContentLoaded", () => document.documentElement.style.setProperty("--row", "60000px")));
			await open("/o/org_acme/events?range=all&cols=seq,who");
			await rows();
			const seen = () =>
				page.evaluate(() => {
					const box = document.querySelector(".virtual").getBoundingClientRect();
					const row = [...document.querySelectorAll("[data-row]")].find((r) => r.getBoundingClientRect().bottom > box.top + 1);
					return [Number(row.dataset.row), Math.round(row.getBoundingClientRect().top - box.top)];
				});
			const to = async (share) => {
				await page.evaluate((s) => {
					const box = document.querySelector(".virtual");
					box.scrollTop = s * box.scrollHeight;
				}, share);
				await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
			};
			for (let i = 0; i < 3; i++) await to(1);
			await page.waitForFunction((n) => document.querySelector("[role=grid]").getAttribute("aria-rowcount") === String(n), count + 1);
			await to(1);
			const under = await page.evaluate((n) => {
				const box = document.querySelector(".virtual").getBoundingClientRect();
				return [
					document.querySelector(`[data-row="${n}"]`).getBoundingClientRect().bottom,
					document.querySelector(".event-end").getBoundingClientRect().bottom,
				].map((y) => Math.round(y - box.bottom));
			}, count - 1);
			expect(under[0] <= 0 && Math.abs(under[1]) <= 2, `under the last row and the end of the list there is more: ${under}`);
			await to(0.5);
			await page.waitForSelector("[data-row]");
			const [middle, at] = await seen();
			expect(Math.abs(middle - count / 2) < 10, `in the middle stands row ${middle}`);
			await page.mouse.move(700, 500);
			await page.mouse.wheel(0, 250);
			await page.waitForFunction(
				([row, top]) => {
					const box = document.querySelector(".virtual").getBoundingClientRect();
					return Math.abs(document.querySelector(`[data-row="${row}"]`)?.getBoundingClientRect().top - box.top - top) < 2;
				},
				[middle, at - 250],
			);
			// When the reader rests, the scroll bar goes where they are, and what they see stays.
			const before = await page.evaluate(() => document.querySelector(".virtual").scrollTop);
			await page.waitForFunction((was) => document.querySelector(".virtual").scrollTop !== was, before);
			const [row, top] = await seen();
			expect(row === middle && Math.abs(top - at + 250) < 2, `row ${middle} at ${at - 250} is row ${row} at ${top}`);
			await page.click(`[data-row="${row}"]`);
			await page.keyboard.press("Escape");
			await page.keyboard.press("End");
			await page.waitForSelector(`[data-row="${count - 1}"]:focus`);
			await page.keyboard.press("Home");
			await page.waitForSelector('[data-row="0"]:focus');
			expect((await seen())[0] === 0, "Home does not lead to the first row");
		},
		failures: ["/v1/events/evt_"],
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
