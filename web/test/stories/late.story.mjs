// Answers that come late, or in another order than they were asked for; presses that come twice; pages that are left before they are there.
import { patience } from "../browser.mjs";

const org = "org_acme";

/** Holds what is asked for at path, when wanted says so, until they are let go. */
async function hold(page, path, wanted = () => true) {
	const held = [];
	let over = false;
	await page.route(path, (route) => (!over && wanted(route.request()) ? held.push(route) : route.fallback()));
	return {
		held,
		count: (n) => until(() => held.length >= n),
		// The page may have given up what it asked for: then nobody hears the answer.
		release: async (answer = (route) => route.continue()) => {
			over = true;
			for (const route of held.splice(0)) await answer(route).catch(() => undefined);
		},
	};
}

/** Waits for what a story sees, not the page. */
async function until(holds) {
	for (const end = Date.now() + patience; !holds(); ) {
		if (Date.now() > end) throw new Error(`never: ${holds}`);
		await new Promise((done) => setTimeout(done, 10));
	}
}

/** Wants the first request and no other. */
function onlyFirst() {
	let n = 0;
	return () => n++ === 0;
}

const asks = (q) => (request) => (new URL(request.url()).searchParams.get("q") ?? "").includes(q);

export default [
	{
		name: "search",
		async run({ open, rows, quiet, page, expect }) {
			await open(`/o/${org}/events?from=now-30d`);
			await rows();
			await quiet();
			const old = await hold(page, /\/v1\/(events|facets|histogram)\?/, asks("invoice.updated"));
			const search = async (q) => {
				await page.fill("[data-query]", q);
				await page.keyboard.press("Enter");
			};
			await search("action:invoice.updated");
			await old.count(3);
			expect((await page.getAttribute(".events-body", "aria-busy")) === "true", "it is not said that a search is on its way");
			await search("action:invoice.created");
			await rows();
			await page.waitForSelector(".facet-row.included >> text=invoice.created");
			await old.release();
			await quiet();
			const shown = await page.locator(".event-row[data-row]").allInnerTexts();
			expect(
				shown.every((text) => /created/.test(text)),
				`an old answer is shown: ${shown[0]}`,
			);
			expect((await page.locator(".facet-row.included").innerText()).includes("invoice.created"), "the counts of an old search are shown");
			expect((await page.locator(".banner, .facets >> text=/not/").count()) === 0, "what was given up is called an error");
		},
	},
	{
		name: "event",
		async run({ open, rows, quiet, page, expect }) {
			await open(`/o/${org}/events?q=action:invoice.updated`);
			await rows();
			await quiet();
			const old = await hold(page, "**/v1/events/evt_*", onlyFirst());
			await page.click(".event-row[data-row='1']");
			await old.count(1);
			const first = new URL(page.url()).searchParams.get("sel");
			await page.click(".event-row[data-row='2']");
			await page.waitForSelector(".drawer .event-ids");
			await old.release();
			await quiet();
			const [ids, sel] = [await page.innerText(".drawer .event-ids"), new URL(page.url()).searchParams.get("sel")];
			expect(ids.includes(sel) && sel !== first, `the drawer shows ${ids}, the address says ${sel}`);
		},
	},
	{
		name: "timeline",
		async run({ open, quiet, page, expect }) {
			await open(`/o/${org}/actors/user/usr_7`);
			await page.waitForSelector(".moment");
			await quiet();
			const old = await hold(page, "**/v1/events?**", (r) => r.url().includes("asc=true"));
			const order = page.locator(".page-head > button >> text=/(Newest|Oldest) first/");
			await order.click();
			await old.count(1);
			await order.click();
			await page.waitForURL((u) => !u.searchParams.has("asc"));
			await quiet();
			await old.release();
			await quiet();
			const times = await page.$$eval(".moment time", (all) => all.map((one) => one.dateTime));
			expect(times.length > 1 && times[0] > times.at(-1), "an old answer turned the order round");
		},
	},
	{
		name: "left",
		async run({ open, rows, quiet, page, expect }) {
			const all = await hold(page, /\/v1\/(events|facets|histogram|summary|sentences)\b/);
			await open(`/o/${org}/events`);
			await all.count(4);
			// While the code of the next page is on its way the one that is left neither asks nor changes the address.
			const code = await hold(page, /\/assets\/.*\.js/);
			await page.click(".rail-link >> text=Views");
			await code.count(1);
			await page.waitForURL(/views$/);
			const asked = all.held.length;
			await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
			expect(all.held.length === asked, "the page that is left asks for what nobody wanted");
			await code.release();
			await page.waitForSelector("h1 >> text=Views");
			await all.release();
			await quiet();
			expect(/views$/.test(page.url()) && (await page.title()).includes("iews"), `the page that was left wrote ${page.url()} and ${await page.title()}`);
			expect((await page.locator(".banner").count()) === 0, "what was left is called an error");
			await page.unrouteAll({ behavior: "ignoreErrors" });
			// Who goes to another organization while this one's log is verified sees that one's log, and nothing of this.
			await open("/o/org_initech/integrity");
			await page.waitForSelector(".integrity-check .button.primary");
			await quiet();
			const evidence = await hold(page, "**/log/evidence**");
			await page.click(".integrity-check .button.primary");
			await evidence.count(1);
			await page.click(".org-switch");
			await page.click(".popup:popover-open .menu-row:has-text('org_globex')");
			await page.waitForURL(/org_globex/);
			await page.click(".rail-link >> text=Integrity");
			await page.waitForSelector(".integrity-check .button.primary");
			await evidence.release();
			await quiet();
			expect((await page.locator(".integrity-outcome, .failure-banner").count()) === 0, "the outcome of another log is shown");
			await page.click(".rail-link >> text=Events");
			await rows();
		},
	},
	{
		name: "led-back",
		async run({ open, quiet, page, expect }) {
			await open(`/o/${org}/exports?new=1&q=outcome:denied`);
			await page.waitForSelector("dialog [role=status] >> text=/\\d/");
			const making = await hold(page, "**/v1/exports", (r) => r.method() === "POST");
			await page.click("dialog .button.primary");
			await making.count(1);
			await page.click("dialog >> text=Cancel");
			await page.waitForSelector("dialog", { state: "detached" });
			await page.click(".rail-link >> text=Timelines");
			await page.waitForURL(/timelines/);
			await quiet.but(making.held);
			await making.release();
			await page.waitForSelector(".toast");
			await quiet();
			expect(/timelines/.test(page.url()), `who had left was led to ${page.url()}`);
		},
	},
	{
		name: "twice",
		async run({ api, open, rows, page, expect, theme }) {
			const sent = [];
			page.on("request", (r) => {
				if (r.method() !== "GET" && r.url().includes("/v1/")) sent.push(`${r.method()} ${new URL(r.url()).pathname}`);
			});
			const once = (what) => expect(sent.filter((s) => s === what).length === 1, `two presses sent ${sent.join(", ")}`);
			await open(`/o/${org}/events?q=outcome:denied`);
			await rows();
			await page.click(".page-head button:has-text('Save')");
			const name = `Twice ${theme} ${Date.now()}`;
			await page.fill("dialog[open].dialog input", name);
			const views = await hold(page, "**/v1/views", (r) => r.method() === "POST");
			// In one task, before anything is drawn: faster than any hand.
			const press = (where) =>
				page.$eval(where, (button) => {
					for (let n = 0; n < 3; n++) button.click();
				});
			await press("dialog[open].dialog .dialog-foot .primary");
			await page.keyboard.press("Enter");
			await views.count(1);
			await views.release();
			await page.waitForSelector("dialog[open].dialog", { state: "detached" });
			once("POST /v1/views");
			const { views: saved } = await api("GET", "/v1/views");
			const own = saved.filter((v) => v.name === name);
			expect(own.length === 1, `${own.length} views were saved`);
			await api("DELETE", `/v1/views/${own[0].id}`);
			await page.click(".page-head button:has-text('Export')");
			await page.waitForSelector("dialog[open] .choice");
			await press("dialog[open].dialog .dialog-foot .primary");
			await page.waitForSelector("a[download]");
			once("POST /v1/exports");
			await open(`/o/${org}/settings/keys?new=1`);
			await page.fill("dialog input >> nth=0", `twice-${theme}`);
			await press("dialog .dialog-foot .primary");
			await page.waitForSelector("dialog code.command >> text=dbk_");
			once("POST /v1/keys");
			await page.click("text=I have copied it");
		},
	},
	{
		name: "slow-list",
		async run({ open, quiet, page, expect }) {
			await page.clock.install();
			const lost = [];
			page.on("requestfailed", (r) => lost.push(r.url()));
			let state = "running";
			let asked = 0;
			const held = [];
			await page.route("**/v1/exports?**", async (route) => {
				asked++;
				const answer = await route.fetch();
				const body = await answer.json();
				const one = {
					id: "exp_01m81yf3enff1vw3r1anh9fffb",
					state,
					format: "csv",
					compression: "none",
					columns: null,
					query: "outcome:denied",
					from: null,
					to: null,
					size: 10,
					scanned: 5,
					rows: 5,
					bytes: 100,
					sha256: null,
					left_out: { columns: [], entries: 0, erased_entries: 0, erased_fields: 0 },
					by: "key_1",
					error: null,
					url: state === "ready" ? "/none" : null,
					url_expires_at: null,
					created_at: "2026-11-22T10:00:00Z",
					started_at: "2026-11-22T10:00:00Z",
					finished_at: null,
					expires_at: null,
				};
				const reply = () => route.fulfill({ response: answer, json: { ...body, exports: [one] } });
				if (asked === 1) await reply();
				else held.push(reply);
			});
			await open(`/o/${org}/exports`);
			await page.waitForSelector(".table progress");
			state = "ready";
			// The answer takes far longer than the pause between two looks: it is waited for, and not given up for the next one.
			await page.clock.fastForward(2000);
			await until(() => held.length === 1);
			await page.clock.fastForward(20_000);
			await page.clock.fastForward(20_000);
			await held[0]();
			await page.waitForSelector(".table >> text=Download");
			await quiet();
			expect(asked === 2 && lost.length === 0, `${asked} looks, given up: ${lost}`);
		},
	},
	{
		name: "old-alarm",
		async run({ open, rows, quiet, page, expect }) {
			await page.clock.install();
			const old = await hold(page, "**/log/failures", onlyFirst());
			await open("/o/org_initech/events");
			await old.count(1);
			await page.clock.fastForward(31_000); // the page looks again
			await rows();
			await quiet.but(old.held);
			const alarm = { check: "leaf", finding: "leaf_mismatch", seq: 7, detail: "entry 7 is not what was signed", found_at: "2026-11-22T10:00:00Z" };
			await old.release((route) => route.fulfill({ json: { failures: [alarm] } }));
			await quiet();
			expect((await page.locator(".failure-banner, .proof-mark.failed").count()) === 0, "an answer older than the last one is shown");
		},
	},
	{
		name: "closed",
		async run({ open, page, expect }) {
			await open("/o/org_globex/settings/keys?new=1");
			await page.waitForSelector("dialog[open].dialog");
			// Nobody has pressed anything yet: the browser closes it without asking the page.
			await page.keyboard.press("Escape");
			await page.waitForSelector("dialog", { state: "detached" });
			await page.waitForURL((u) => !u.searchParams.has("new"));
			await page.click("text=New key");
			await page.waitForSelector("dialog[open].dialog");
			await page.keyboard.press("Escape");
			await page.waitForSelector("dialog", { state: "detached" });
			expect(!page.url().includes("new="), "the address still asks for the dialog");
		},
	},
];
