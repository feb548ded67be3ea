// The states of the list and of an event that a healthy server does not show by itself. The table of all states, and the story that holds
// each, is in ../README.md.
import { hostile } from "./hostile.mjs";

/** Changes what the server answers to GET path before the page sees it. */
const bend = (page, path, change) =>
	page.route(path, async (route) => {
		const answer = await route.fetch();
		await route.fulfill({ response: answer, json: change(await answer.json()) });
	});

/** A search that found three. */
const three = (page, more = {}) => bend(page, "**/v1/events?**", (found) => ({ ...found, entries: found.entries.slice(0, 3), next_cursor: null, ...more }));

/** An organization of its own with three events about somebody. */
async function fresh(api, theme, name) {
	const id = `org_states_${name}_${theme}_${Date.now()}`;
	await api("POST", "/v1/organizations", { id, name: "Hooli" });
	const ids = [];
	for (const n of [1, 2, 3]) {
		const actor = { type: "user", id: "usr_9", name: "Lin Wu", email: "lin@example.com" };
		ids.push((await api("POST", "/v1/events", { action: "invoice.sent", actor, targets: [{ type: "invoice", id: String(n) }] }, id)).id);
	}
	return { org: id, ids };
}

const problem = (status, code, detail) => ({
	status,
	contentType: "application/problem+json",
	body: JSON.stringify({ title: code, status, code, detail, request_id: "req_7f3k2q9x4m" }),
});

export default [
	{
		name: "slow",
		async run({ open, page, expect }) {
			await page.clock.install();
			await page.route("**/v1/events?**", () => undefined); // never answered
			await open("/o/org_acme/events");
			await page.waitForSelector(".events");
			await page.clock.fastForward(200);
			await page.waitForSelector(".event-list .skeleton");
			expect((await page.getAttribute("[role=grid]", "aria-busy")) === "true", "the grid is not busy");
			await page.clock.fastForward(5000);
			await page.waitForSelector("[role=status] >> text=Still searching");
			await page.click(".event-end >> text=Cancel");
			await page.waitForSelector(".banner >> text=You stopped the search");
		},
	},
	{
		name: "partial",
		async run({ open, page, expect }) {
			await bend(page, "**/v1/events?**", (found) => ({
				...found,
				entries: found.entries.slice(0, 3),
				next_cursor: "c_more",
				searched: { ...found.searched, days: 14, of_days: 90, complete: false, reason: "time limit" },
			}));
			await open("/o/org_acme/events?from=now-90d");
			await page.waitForSelector(".event-end >> text=Searched 14 of 90 days (time limit).");
			const rows = await page.locator(".event-row[data-row]").count();
			const again = page.waitForRequest((r) => r.url().includes("cursor=c_more"));
			await page.unroute("**/v1/events?**");
			await three(page);
			await page.route("**/v1/events?**cursor=c_more**", (route) => route.fulfill(problem(503, "unavailable", "The log is busy.")));
			await page.click(".event-end >> text=Continue");
			await again;
			// The rows stay, and the request can be named to whoever runs the server.
			await page.waitForSelector(".banner.danger >> text=req_7f3k2q9x4m");
			expect((await page.locator(".event-row[data-row]").count()) === rows, "the rows went");
		},
		failures: ["/v1/events"],
	},
	{
		name: "edge-and-frozen",
		async run({ open, rows, page, shot }) {
			await three(page);
			await bend(page, "**/v1/summary**", (s) => ({ ...s, state: "frozen", oldest: { seq: 4711, received_at: "2026-08-22T10:00:00.000000Z" } }));
			await open("/o/org_acme/events?from=now-90d");
			await rows();
			await page.waitForSelector(".event-end >> text=Events before 22 Aug 2026 were removed by retention.");
			await page.waitForSelector(".banner >> text=Reading only");
			await shot("frozen");
			await page.unroute("**/v1/summary**");
			await bend(page, "**/v1/summary**", (s) => ({ ...s, no_space: true }));
			await page.reload();
			await page.waitForSelector(".banner >> text=no space left to record");
		},
	},
	{
		name: "no-right",
		failures: ["/v1/"],
		async run({ open, page, expect }) {
			await page.route("**/v1/{events,facets,histogram}?**", (route) => route.fulfill(problem(403, "forbidden", "This key lacks the scope read.")));
			await open("/o/org_acme/events");
			await page.waitForSelector(".banner.danger >> text=lacks the scope read");
			await page.waitForSelector(".banner.danger >> text=Somebody with the scope “manage” can give it");
			expect((await page.locator(".event-row[data-row], .facet-row").count()) === 0, "something is shown");
		},
	},
	{
		name: "erased-and-held",
		async run({ api, open, page, theme, expect, shot }) {
			const { org, ids } = await fresh(api, theme, "gone");
			await api("POST", "/v1/holds", { query: "target:invoice:1", reason: "Case 118" }, org);
			await api("POST", "/v1/erasures", { query: "target:invoice:2", paths: ["/actor/email", "/actor/name"], reason: "Request 7" }, org);
			const state = async () => (await api("GET", "/v1/erasures", undefined, org)).erasures[0].state;
			while ((await state()) !== "done") await new Promise((done) => setTimeout(done, 50));
			await open(`/o/${org}/events?q=action:invoice.*&sel=${ids[1]}`);
			await page.waitForSelector(".fate >> text=Erased: /actor/email, /actor/name.");
			await page.waitForSelector(".fate >> text=/Request 7.*ers_.*The proof still holds/");
			expect(!/Lin Wu|lin@example/.test(await page.innerText(".drawer")), "what was erased is shown");
			await shot("erased");
			await open(`/o/${org}/events?sel=${ids[0]}`);
			await page.waitForSelector(".fate >> text=/Kept by the hold “Case 118” .hold_/");
			// The row says so too, in a sign and in words; the others do not.
			const marked = await page.locator(".event-row:has(.event-fate)").allInnerTexts();
			expect(
				marked.length === 2 && /Values of it were erased/.test(marked[0]) && /Kept by a hold/.test(marked[1]),
				`marked as erased and held: ${marked.join("; ")}`,
			);
			await shot("held");
			// What the log itself recorded reads as a sentence, too.
			await page.waitForSelector(".event-row >> text=placed a hold: Case 118");
			await page.waitForSelector(".event-row >> text=erased values: Request 7");
			await page.click(".event-row:has-text('erased values')");
			await page.waitForSelector(".drawer .facts >> text=erasure_id");
			await page.click("[role=tab]:has-text('Around')");
			await page.waitForSelector(".near-this >> text=erased values");
		},
	},
	{
		name: "hidden",
		async run({ api, open, page, theme }) {
			const { org, ids } = await fresh(api, theme, "hidden");
			await bend(page, `**/v1/events/${ids[0]}`, (e) => ({
				...e,
				actor: { type: e.actor.type, id: e.actor.id },
				hidden_fields: ["/actor/name", "/actor/email"],
			}));
			await open(`/o/${org}/events/${ids[0]}`);
			await page.waitForSelector(".fate >> text=Hidden from your role: /actor/name, /actor/email.");
		},
	},
	{
		name: "skew",
		themes: ["dark"],
		async run({ api, open, page, expect, theme }) {
			const { org } = await fresh(api, theme, "skew");
			const at = new Date(Date.now() - 3_600_000).toISOString();
			const { id } = await api("POST", "/v1/events", { action: "clock.strayed", occurred_at: at, actor: { type: "user", id: "usr_9" } }, org);
			await open(`/o/${org}/events?sel=${id}`);
			await page.waitForSelector(".event-row .warn");
			expect(/6\d min/.test((await page.textContent(".event-row .warn .hidden-text")) ?? ""), "the row does not say how late");
			await page.waitForSelector(".event-detail .warn >> text=/received 6\\d min later/");
		},
	},
	{
		name: "live-paused",
		failures: ["/v1/events/tail"],
		async run({ api, open, rows, page, theme }) {
			const { org } = await fresh(api, theme, "live");
			await page.route("**/v1/events/tail**", (route) => route.abort());
			await open(`/o/${org}/events?live=1`);
			await rows();
			await page.waitForSelector("button >> text=Live paused – reconnecting");
			// What is recorded meanwhile comes with the connection.
			await api("POST", "/v1/events", { action: "invoice.missed", actor: { type: "user", id: "usr_9", name: "Lin Wu" } }, org);
			await page.unroute("**/v1/events/tail**");
			await page.waitForSelector(".event-row >> text=invoice.missed");
			await page.waitForSelector("button[aria-pressed=true] >> text=/^Live$/");
		},
	},
	{
		name: "contrast",
		themes: ["light"],
		context: { contrast: "more", reducedMotion: "reduce" },
		async run({ open, rows, page, expect }) {
			await open("/o/org_acme/events?q=outcome:denied");
			await rows();
			const muted = await page.evaluate(() => getComputedStyle(document.querySelector(".muted")).color === getComputedStyle(document.body).color);
			expect(muted, "quiet text is quiet where more contrast is wanted");
			const moves = await page.evaluate(() => document.getAnimations().length);
			expect(moves === 0, "something moves");
		},
	},
	{
		name: "keys",
		async run({ open, rows, page, context, expect }) {
			await context.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => undefined);
			await open("/o/org_acme/events?q=action:invoice.*&from=now-30d");
			await rows();
			await page.waitForSelector(".bar-all", { state: "attached" });
			const press = async (...keys) => {
				for (const key of keys) await page.keyboard.press(key);
			};
			await press("j", "x", "j", "x");
			await page.waitForSelector(".events-line >> text=2 rows picked");
			expect((await page.locator(".event-row[aria-selected=true]").count()) === 2, "the grid does not say which rows are picked");
			await press("y");
			await page.waitForSelector(".toast >> text=Copied");
			await press("v");
			await page.waitForSelector(".toast >> text=/checked in this browser/");
			await press("Escape");
			await page.waitForSelector("text=2 rows picked", { state: "detached" });
			const from = new URL(page.url()).searchParams.get("from");
			await press("[");
			await page.waitForURL((u) => u.searchParams.get("from") !== from && Date.parse(u.searchParams.get("from")) < Date.now() - 40 * 86_400_000);
			await press("]");
			await page.waitForURL((u) => Date.parse(u.searchParams.get("to")) > Date.now() - 3 * 86_400_000);
			await press("f");
			expect(await page.evaluate(() => document.activeElement.matches("[data-facets]")), "f does not lead to the facets");
			await press("Escape");
			await page.evaluate(() => document.activeElement.blur());
			await open("/o/org_acme/events?q=action:invoice.*&from=now-30d");
			await rows();
			await press("l");
			await page.waitForURL(/live=1/);
			await press("l");
			await page.waitForURL((u) => !u.search.includes("live=1"));
			await press("j", "t");
			await page.waitForURL(/\/targets\/invoice\//);
			for (const [key, path] of Object.entries({ x: "exports", i: "integrity", t: "timelines", e: "events" })) {
				await Promise.all([page.keyboard.press("g"), page.keyboard.press(key)]); // one right after the other, however slow the machine is
				await page.waitForURL(new RegExp(`/o/org_acme/${path}`));
			}
			await press("?");
			await page.waitForSelector("dialog[open] .keys");
			// Off means off, until it is switched on again.
			await page.click("dialog[open] .check input");
			await press("Escape");
			await page.waitForSelector("dialog", { state: "detached" });
			await press("g", "i", "?", "/");
			expect(/\/events/.test(page.url()) && (await page.locator("dialog[open].dialog").count()) === 0, "a key acts though keys are off");
			await page.click("[aria-label=You]");
			await page.click(".popup:popover-open >> text=Single-key shortcuts");
			await page.keyboard.press("Escape");
			await page.evaluate(() => document.activeElement.blur());
			await press("?");
			await page.waitForSelector("dialog[open] .keys");
		},
	},
	{
		name: "hostile-names",
		failures: ["/v1/"],
		async run({ api, open, page, theme, expect }) {
			const org = `org_states_hostile_${theme}_${Date.now()}`;
			await api("POST", "/v1/organizations", { id: org, name: hostile[0] });
			const id = hostile[1];
			for (const text of hostile) {
				const event = {
					action: "hostile.updated",
					actor: { type: "user", id, name: text },
					targets: [{ type: "thing", id, name: text }],
					before: { [text.slice(0, 80)]: text },
					after: { [text.slice(0, 80)]: `${text}!` },
				};
				await api("POST", "/v1/events", event, org);
			}
			for (const text of hostile.slice(0, 9)) {
				await api(
					"POST",
					"/v1/views",
					{ name: text.slice(0, 60), search: `q=${encodeURIComponent(`"${text.slice(0, 40).replace(/["\\\n]/g, "")}"`)}` },
					org,
				).catch(() => undefined);
				await api("POST", "/v1/holds", { query: "target:thing:none", reason: text.slice(0, 200) }, org).catch(() => undefined);
				await api("POST", "/v1/keys", { name: text.slice(0, 60), scopes: ["read"], org }, org).catch(() => undefined);
			}
			await api("POST", "/v1/actions/hostile.updated/schemas", { sentence: "{actor} <b>changed</b> {target} {changed}" }, org);
			await api("POST", "/v1/exports", { query: `target:thing:${JSON.stringify(id)}`, format: "csv" }, org).catch(() => undefined);
			const part = encodeURIComponent(id);
			const pages = {
				[`/targets/thing/${part}`]: ".moment",
				[`/actors/user/${part}`]: ".moment",
				[`/targets/thing/${part}/versions`]: ".versions-table",
				"/timelines": ".parties a",
				"/views": ".view",
				"/exports": "main h1",
				"/settings/keys": ".table tbody tr",
				"/settings/retention?tab=holds": ".table tbody tr",
				"/settings/schemas?action=hostile.updated": ".schema-preview li",
				"/start": ".start-row",
			};
			for (const [path, ready] of Object.entries(pages)) {
				await open(`/o/${org}${path}`);
				await page.waitForSelector(ready);
				const made = await page.evaluate(() => document.querySelectorAll("#app script, #app img, #app style, #app iframe, main b").length);
				expect(made === 0, `${path}: ${made} elements were made of text`);
				expect((await page.evaluate(() => document.documentElement.scrollWidth)) <= 1440, `${path}: a long value made the page wider`);
			}
		},
	},
];
