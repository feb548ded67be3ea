/** The text of every row that is in the page. */
const texts = (page) => page.locator(".event-row[data-row]").allInnerTexts();

export default [
	{
		name: "list",
		async run({ open, rows, page, expect }) {
			await open("/o/org_acme/events");
			await rows();
			await page.waitForSelector(".bar-all", { state: "attached" });
			await page.waitForSelector(".facet-row");
			expect(page.url().includes("from=now-7d"), "the range is not in the address");
			expect((await page.title()).includes("Events"), "the page has no title");
			const actors = await page
				.locator(".facet:has(legend:text-is('Actor')) .facet-label")
				.evaluateAll((all) => all.map((one) => [one.innerText.trim(), one.title]));
			expect(
				actors.length > 5 && actors.every(([shown, whole]) => !/^usr_/.test(shown) && whole.startsWith(shown)),
				`the actors are called ${actors.join("; ")}`,
			);
			expect((await page.locator("[role=grid]").getAttribute("aria-rowcount")) === "-1", "the grid says how many rows there are before it knows");
		},
	},
	{
		name: "search",
		failures: ["/v1/events?", "/v1/facets", "/v1/histogram"],
		async run({ open, rows, page, expect, shot, context }) {
			await open("/o/org_acme/events");
			await rows();
			await page.keyboard.press("/");
			await page.keyboard.type("action:invoice.u");
			await page.waitForSelector(".query-option:only-child >> text=invoice.updated"); // what is offered for less of it would go
			await shot("completion");
			await page.keyboard.press("ArrowDown");
			await page.keyboard.press("Enter");
			await page.waitForFunction(() => document.querySelector("[data-query]").value === "action:invoice.updated");
			await page.keyboard.press("Enter");
			await page.waitForURL((u) => u.searchParams.get("q") === "action:invoice.updated");
			await rows();
			expect((await page.locator(".query-option").count()) === 0, "completions stand over what was found");
			const other = await context.newPage();
			await other.goto(page.url());
			await other.waitForSelector(".event-row[data-row]");
			expect((await other.inputValue("[data-query]")) === "action:invoice.updated", "the address does not bring the query back");
			await other.close();
			await page.fill("[data-query]", "actr:ada");
			await page.keyboard.press("Enter");
			await page.waitForSelector(".query-error");
			await page.waitForSelector(".q-bad");
			await shot("error");
			await page.click(".query-error button");
			await page.waitForFunction(() => document.querySelector("[data-query]").value.startsWith("actor"));
		},
	},
	{
		name: "completions",
		async run({ open, rows, quiet, page, expect }) {
			await page.clock.install();
			let asked = 0;
			let offered = [];
			await page.route("**/v1/complete?**", (route) => {
				asked++;
				const q = new URL(route.request().url()).searchParams.get("q");
				const from = q.indexOf(":") + 1;
				return offered.length > 0 ? route.fulfill({ json: { completions: offered.map((text) => ({ text, means: "", from, to: q.length })) } }) : undefined; // else never
			});
			await open("/o/org_acme/events");
			await rows();
			const value = () => page.inputValue("[data-query]");
			offered = ["invoice.sent", "invoice.updated"];
			await page.fill("[data-query]", "action:inv");
			await page.clock.fastForward(200);
			await page.waitForSelector(".query-option >> nth=1");
			// What is offered is still for "action:inv" when one of it is taken: the letters typed since are part of the word.
			offered = [];
			await page.keyboard.type("oice.u");
			await page.keyboard.press("Tab");
			expect((await value()) === "action:invoice.u", `a word was replaced by another one: ${await value()}`);
			await page.keyboard.press("ArrowDown");
			await page.keyboard.press("ArrowDown");
			await page.keyboard.press("Tab");
			expect((await value()) === "action:invoice.updated", `what was taken: ${await value()}`);
			// A choice stays chosen when the answer for the longer text comes.
			offered = ["invoice.sent", "invoice.updated"];
			await page.fill("[data-query]", "action:inv");
			await page.clock.fastForward(200);
			await page.waitForSelector(".query-option >> nth=1");
			await page.keyboard.press("ArrowDown");
			await page.keyboard.press("ArrowDown");
			offered = ["invoice.updated", "invoice.voided", "invoice.sent"];
			await page.keyboard.type("o");
			await page.clock.fastForward(200);
			await page.waitForSelector(".query-option >> nth=2");
			expect((await page.innerText(".query-option[aria-selected=true]")).includes("invoice.updated"), "the choice went with the answer before");
			// Escape closes for good, Enter searches and leaves nothing open: what they close is asked for again with the next letter.
			await page.keyboard.press("Escape");
			await page.waitForSelector(".query-option", { state: "detached" });
			const before = asked;
			await page.clock.fastForward(200);
			await quiet();
			await page.keyboard.press("Enter");
			await page.waitForURL(/q=action:invo/);
			await page.clock.fastForward(200);
			await quiet();
			expect(asked === before && (await page.locator(".query-option").count()) === 0, "the list opened again by itself");
			await page.keyboard.type("i");
			await page.clock.fastForward(200);
			await page.waitForSelector(".query-option >> nth=2"); // axe looks at the open list
		},
	},
	{
		name: "keyboard",
		async run({ open, rows, page, expect }) {
			await open("/o/org_acme/events");
			await rows();
			await page.keyboard.press("j");
			await page.keyboard.press("j");
			await page.keyboard.press("Enter");
			await page.waitForSelector(".drawer .event-title");
			expect(/sel=evt_/.test(page.url()), "the selection is not in the address");
			const row = await page.evaluate(() => document.activeElement.dataset.row);
			expect(row === "1", `the focus is on ${row}`);
			await page.keyboard.press("j");
			await page.waitForFunction((before) => document.activeElement.dataset.row !== before, row);
			await page.keyboard.press("Escape");
			await page.waitForFunction(() => !document.querySelector(".drawer"));
			await page.waitForFunction(() => document.activeElement.dataset.row !== undefined);
			await page.keyboard.press("End");
			// The last row that is known has the focus, and is not hidden under anything.
			await page.waitForFunction(() => {
				const row = document.activeElement;
				const box = row.getBoundingClientRect();
				return Number(row.dataset.row) >= 90 && row.contains(document.elementFromPoint(box.left + 20, box.top + box.height / 2));
			});
			await page.keyboard.press("?");
			await page.waitForSelector("dialog[open] .keys");
		},
	},
	{
		name: "zoom-and-facets",
		async run({ open, rows, quiet, page, expect }) {
			await open("/o/org_acme/events?from=now-30d");
			await rows();
			await page.waitForSelector(".bar-all", { state: "attached" });
			await quiet();
			const box = await page.locator(".histogram-bars").boundingBox();
			await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
			await page.mouse.down();
			await page.mouse.move(box.x + box.width * 0.7, box.y + 20);
			await page.mouse.up();
			await page.waitForURL(/zoom=now-30d/);
			await rows();
			await page.keyboard.press("Escape");
			await page.waitForURL((u) => !u.search.includes("zoom="));
			await quiet(); // what is clicked must not move
			await page.waitForSelector(".facet-row");
			await page.locator(".facet-row input").first().check();
			await page.waitForURL(/q=action:/);
			await quiet();
			await page.locator(".facet-row.included .facet-not").first().click();
			await page.waitForURL(/q=-action:/);
			await rows();
			expect((await page.locator(".facet-row.excluded").count()) <= 1, "more than one value is excluded");
		},
	},
	{
		name: "no-match",
		async run({ open, page, expect }) {
			await open("/o/org_acme/events?q=actor.type:user+outcome:denied+action:nothing.happened");
			await page.waitForSelector(".empty .line");
			const words = await page.innerText(".empty");
			expect(words.includes("action:nothing.happened"), `the culprit is not named: ${words}`);
		},
	},
	{
		name: "unreachable",
		failures: ["/v1/"],
		async run({ open, rows, page }) {
			await open("/o/org_acme/events");
			await rows();
			await page.route("**/v1/events?**", (r) => r.abort());
			await page.fill("[data-query]", "outcome:success");
			await page.keyboard.press("Enter");
			await page.waitForSelector(".banner.danger");
			await page.unroute("**/v1/events?**");
			await page.click(".banner .link-button");
			await rows();
		},
	},
	{
		name: "live",
		themes: ["light"],
		async run({ open, rows, page, api, expect, shot }) {
			await open("/o/org_acme/events?live=1&q=action:story.lived");
			await page.waitForSelector("[aria-pressed=true]");
			const record = (n) =>
				api(
					"POST",
					"/v1/events",
					Array.from({ length: n }, (_, i) => ({
						action: "story.lived",
						actor: { type: "user", id: `u${i}` },
						targets: [{ type: "thing", id: String(Math.random()) }],
					})),
				);
			await record(60);
			await open("/o/org_acme/events?live=1&q=action:story.lived");
			await rows();
			await page.evaluate(() => document.querySelector(".virtual").scrollTo(0, 900));
			// The list knows where the reader is when the first row has left it.
			await page.waitForSelector("[data-row='0']", { state: "detached" });
			const before = await page.evaluate(() => document.querySelector(".virtual").scrollTop);
			for (let i = 0; i < 5; i++) await record(20);
			await page.waitForFunction(() => document.querySelector(".live-pill")?.textContent.includes("100"));
			expect((await page.evaluate(() => document.querySelector(".virtual").scrollTop)) === before, "the list moved under the reader");
			await shot("pill");
			const height = () => page.evaluate(() => document.querySelector(".virtual-body").getBoundingClientRect().height);
			const short = await height();
			await page.click(".live-pill");
			await page.waitForFunction((n) => document.querySelector(".virtual-body").getBoundingClientRect().height > n, short);
			await page.waitForSelector("[data-row='0']");
			expect((await page.evaluate(() => document.querySelector(".virtual").scrollTop)) === 0, "the list is not at its top");
			const long = await height();
			await record(1);
			await page.waitForFunction((n) => document.querySelector(".virtual-body").getBoundingClientRect().height > n, long);
			expect((await page.locator(".live-pill").count()) === 0, "what comes while the reader is at the top waits");
		},
	},
	{
		name: "scroll",
		themes: ["light"],
		axe: false,
		async run({ open, rows, page, expect }) {
			await open("/o/org_acme/events?range=all&all=1");
			await rows();
			for (let i = 0; i < 25; i++) {
				await page.evaluate(async () => {
					document.querySelector(".virtual").scrollBy(0, 4000);
					for (let frames = 0; frames < 3; frames++) await new Promise((done) => requestAnimationFrame(done));
				});
			}
			await page.waitForFunction(() => !document.querySelector(".event-row[aria-busy=true]"));
			const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
			expect(nodes < 2000, `${nodes} nodes`);
			const seen = new Set((await texts(page)).map(String));
			expect(seen.size > 5, "no rows at the end");
			await page.evaluate(() => document.querySelector(".virtual").scrollTo(0, 0));
			await page.waitForFunction(() => document.querySelector('[data-row="0"]'));
		},
	},
	{
		name: "table",
		fast: false,
		async run({ open, rows, page }) {
			await page.addInitScript(() => localStorage.setItem("daybook.lists", "table"));
			await open("/o/org_acme/events");
			await rows();
			await page.click(".event-end button");
		},
	},
	{
		name: "save",
		async run({ open, rows, page, api, expect, theme }) {
			await open("/o/org_acme/events?q=outcome:denied&from=now-30d&sel=evt_01m7z7rs1affyad5cmxxj94a79");
			await rows();
			await page.click(".page-head button:has-text('Save')");
			await page.fill("dialog[open].dialog input", `Denied ${theme}`);
			await page.click("dialog[open].dialog .dialog-foot .primary");
			await page.waitForSelector(".toast");
			const { views } = await api("GET", "/v1/views");
			const saved = views.find((v) => v.name === `Denied ${theme}`);
			expect(saved?.search === "q=outcome%3Adenied&from=now-30d", `the view keeps ${saved?.search}`);
		},
		failures: ["/v1/events/evt_"],
	},
	{
		name: "query-help",
		themes: ["light", "dark"],
		async run({ open, rows, page, expect, shot, axe }) {
			await open("/o/org_acme/events");
			await rows();
			await page.keyboard.press("/");
			await page.keyboard.type('reason:"why');
			await page.keyboard.type("?");
			expect((await page.inputValue("[data-query]")) === 'reason:"why?', "in quotes a question mark is no letter");
			await page.keyboard.type('" ');
			await page.keyboard.press("Shift+?");
			await page.waitForSelector(".query-help li:has-text('meta.')");
			expect(await page.evaluate(() => document.activeElement.textContent.startsWith("actor:usr_1")), "the focus is not on the first example");
			await axe("help: ");
			await shot("help");
			await page.keyboard.press("Escape");
			await page.waitForSelector("[data-query]:focus");
			expect((await page.inputValue("[data-query]")) === 'reason:"why?" ', "the text was changed");
			await page.keyboard.press("Escape");
			await page.click("[aria-label='How to ask']");
			await page.click(".query-help .link-button:text-is('has:')");
			await page.waitForFunction(() => document.querySelector("[data-query]:focus")?.value === 'reason:"why?" has:');
			await page.click("[aria-label='How to ask']");
			await page.click(".query-help .link-button:text-is('outcome:failure,denied')");
			await page.waitForSelector("[data-query]:focus");
			await page.keyboard.press("Enter");
			await page.waitForURL(/q=outcome:failure/);
			await page.setViewportSize({ width: 390, height: 844 });
			await page.click("[aria-label='How to ask']");
			await page.waitForSelector(".query-help li:has-text('meta.')");
			const wide = await page.evaluate(() => [document.documentElement, document.querySelector(".dialog-body")].some((e) => e.scrollWidth > e.clientWidth));
			expect(!wide, "the help scrolls sideways");
			await shot("phone");
		},
		failures: ["/v1/complete"],
	},
	{
		name: "export",
		async run({ open, rows, page, expect, shot }) {
			await open("/o/org_acme/events?q=outcome:denied");
			await rows();
			await page.click(".page-head button:has-text('Export')");
			await page.waitForSelector("dialog[open] .choice");
			await shot("asked");
			await page.click("dialog[open] .button.primary");
			await page.waitForSelector("a[download]");
			expect(/Leaves out/.test(await page.innerText("dialog[open]")), "what the file leaves out is not said");
			const href = await page.getAttribute("a[download]", "href");
			const [status, size] = await page.evaluate(async (u) => {
				const answer = await fetch(u);
				return [answer.status, (await answer.arrayBuffer()).byteLength];
			}, href);
			expect(status === 200 && size > 0, `the file answers ${status} and ${size} bytes`);
		},
	},
	{
		name: "phone",
		viewport: { width: 390, height: 844 },
		async run({ open, rows, quiet, page, expect, shot }) {
			await open("/o/org_acme/events");
			await rows();
			await shot("list");
			await page.click(".page-more");
			await page.click(".menu-row >> text=Export");
			await page.click("dialog[open] [aria-label=Close]");
			await page.waitForSelector("dialog[open].dialog", { state: "detached" });
			const wide = await page.evaluate(() => document.documentElement.scrollWidth);
			expect(wide <= 390, `the page is ${wide} wide`);
			await page.click(".event-row[data-row='2']");
			await page.waitForSelector(".drawer .event-title");
			await shot("event");
			await page.click(".drawer [aria-label=Close]");
			await page.waitForSelector(".drawer", { state: "detached" });
			await page.click(".facets-button");
			await quiet();
			await page.locator("dialog[open] .facet-row input").first().check();
			await page.waitForURL(/q=action:/);
			await quiet();
			await shot("facets");
			await page.keyboard.press("Escape");
			await page.waitForSelector("dialog[open].dialog", { state: "detached" });
			await page.click(".rail-toggle");
			await page.waitForSelector(".rail-link");
		},
	},
	{
		name: "reflow",
		viewport: { width: 320, height: 640 },
		context: { reducedMotion: "reduce" },
		async run({ open, rows, page, expect }) {
			await open("/o/org_acme/events");
			await rows();
			const wide = await page.evaluate(() => document.documentElement.scrollWidth);
			expect(wide <= 320, `the page is ${wide} wide`);
		},
	},
	{
		name: "large-text",
		themes: ["light"],
		async run({ open, rows, page, expect }) {
			await open("/o/org_acme/events");
			await rows();
			await page.evaluate(() => document.documentElement.style.setProperty("font-size", "32px"));
			await page.waitForFunction(() => {
				const [first, second] = Array.from(document.querySelectorAll(".event-row[data-row]"), (r) => r.getBoundingClientRect());
				return Math.abs(first.height - (second.top - first.top)) < 1 && first.height > 60;
			});
			expect(await page.locator(".cell-what").first().isVisible(), "what happened is cut off");
			const [cell, list] = await page.evaluate(() => [
				document.querySelector(".cell-what").getBoundingClientRect().right,
				document.querySelector(".event-list").getBoundingClientRect().right,
			]);
			expect(cell <= list + 1, "what happened is cut off");
		},
	},
	{
		name: "forced-colours",
		themes: ["dark"],
		context: { forcedColors: "active" },
		async run({ open, rows, page }) {
			await open("/o/org_acme/events?q=outcome:denied");
			await rows();
			await page.click(".event-row[data-row='1']");
			await page.waitForSelector(".drawer .event-title");
		},
	},
	{
		name: "nowhere",
		failures: ["/o/org_acme/nowhere"],
		async run({ open, page, expect, url }) {
			await open("/o/org_acme/nowhere");
			await page.waitForSelector(".empty");
			const answer = await page.request.get(`${url}/o/org_acme/nowhere`, { headers: { Accept: "text/html" } });
			expect(answer.status() === 404, `an unknown address answers ${answer.status()}`);
		},
	},
];
