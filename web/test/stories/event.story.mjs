import { hostile } from "./hostile.mjs";

/** Records an event and returns its id. */
async function record(api, event) {
	const receipt = await api("POST", "/v1/events", event);
	return receipt.id;
}

export default [
	{
		name: "changes",
		async run({ api, open, page, expect }) {
			const id = await record(
				api,
				'{"action":"invoice.updated","version":3,"actor":{"type":"user","id":"usr_7","name":"Grace Hopper","via":[{"type":"user","id":"usr_1","name":"Ada Byron"}]},"targets":[{"type":"invoice","id":"42","name":"Invoice 42"}],"changes":[{"path":"/amount","old":"1200.00","new":"1450.00"},{"path":"/big","old":9007199254740993,"new":9007199254740995},{"path":"/lines/2/qty","old":4,"new":5},{"path":"/note","old":"Net 30 days, paid by card","new":"Net 45 days, paid by bank transfer"},{"path":"/tags/-","new":"priority"},{"path":"/name","old":"Zoë 👩‍👩‍👧","new":"Zoë 👨‍👩‍👧"}],"reason":"PO 7781","context":{"ip":"203.0.113.9","user_agent":"Firefox/149.0"},"metadata":{"plan":"pro","cost center":"R&D"}}',
			);
			await open(`/o/org_acme/events?sel=${id}`);
			await page.waitForSelector(".drawer .diff");
			const words = await page.innerText(".diff");
			expect(words.includes("9007199254740993") && words.includes("9007199254740995"), "the digits of a number are lost");
			expect(/30\s+45/.test(words.replace(/\n/g, " ")), `deleted and inserted text read as one: ${words}`);
			expect((await page.innerText(".event-title")).includes("Ada Byron as Grace Hopper"), "the impersonation is not told");
			expect((await page.locator(".diff .hidden-text").first().innerText()).length > 0, "nothing is said to readers");
		},
	},
	{
		name: "tabs",
		async run({ api, open, page, expect, shot }) {
			const id = await record(api, {
				action: "role.granted",
				actor: { type: "user", id: "usr_7", name: "Grace Hopper", email: "grace@acme.com" },
				targets: [
					{ type: "user", id: "usr_2", name: "Lin Wu" },
					{ type: "role", id: "admin" },
				],
				outcome: "denied",
				error: { code: "limit", message: "over the limit" },
				context: { ip: "203.0.113.9", http: { method: "PUT", route: "/roles/{id}", path: "/roles/admin", status_code: 403 } },
				metadata: { plan: "pro", nested: { a: [1, 2, 3] } },
			});
			await open(`/o/org_acme/events?sel=${id}`);
			await page.waitForSelector(".drawer .facts");
			await shot("details");
			await page.click("[role=tab]:has-text('Raw JSON')");
			await page.waitForSelector(".tree");
			await shot("raw");
			await page.click("[role=tab]:has-text('Around')");
			await page.waitForSelector(".near-this");
			await shot("around");
			await page.click("[role=tab]:has-text('Details')");
			await page.click(".value-button >> nth=0");
			await page.waitForSelector(".popup:popover-open");
			await shot("value-menu");
			await page.click("text=Filter to it");
			await page.waitForURL(/q=action:role.granted/);
			expect(/sel=evt_/.test(page.url()), "the filter closed the event");
			await page.goto(page.url().replace(/events\?.*/, `events/${id}?tab=raw`));
			await page.waitForSelector(".event-page .tree");
			await shot("page");
		},
	},
	{
		name: "proof",
		async run({ api, open, page, expect, url, key, theme }) {
			const id = await record(api, { action: "proof.wanted", actor: { type: "user", id: `usr_${theme}`, name: "Grace Hopper" } });
			await fetch(`${url}/v1/organizations/org_acme/log/checkpoint`, { headers: { Authorization: `Bearer ${key}` } });
			await open(`/o/org_acme/events?sel=${id}`);
			await page.waitForSelector(".drawer .facts");
			expect((await page.locator(".proof-mark.verified").count()) === 0, "something is green before it was checked");
			await page.click("[role=tab]:has-text('Proof')");
			await page.waitForSelector(".proof-say.verified");
			await page.waitForSelector(".event-row .proof-mark.verified"); // the row knows, too
		},
	},
	{
		name: "cannot-verify",
		failures: ["/log/"],
		async run({ api, open, page, expect }) {
			const id = await record(api, { action: "proof.blocked", actor: { type: "user", id: "usr_7" } });
			await page.route("**/log/evidence**", (r) => r.abort());
			await open(`/o/org_acme/events?sel=${id}&tab=proof`);
			await page.waitForSelector(".proof-say.unknown");
			expect((await page.locator(".proof-mark.failed").count()) === 0, "what cannot be checked is red");
		},
	},
	{
		name: "hostile",
		async run({ api, open, page, expect, shot }) {
			const events = hostile.map((text) => ({
				action: "hostile.tried",
				actor: { type: "user", id: text.slice(0, 200), name: text, email: text },
				targets: [{ type: "thing", id: text.slice(0, 200), name: text }],
				reason: text,
				changes: [{ path: `/${text.slice(0, 100).replace(/~/g, "~0").replace(/\//g, "~1")}`, old: text, new: `${text}!` }],
				metadata: { [text.slice(0, 100)]: text },
				context: { ip: text.slice(0, 100), user_agent: text },
			}));
			const { receipts } = await api("POST", "/v1/events", events);
			await open("/o/org_acme/events?q=action:hostile.tried");
			await page.waitForSelector(".event-row[data-row]");
			await page.waitForSelector(".facet-row");
			await shot("list");
			for (const r of receipts) {
				for (const tab of ["changes", "details", "raw"]) {
					await page.evaluate(
						([id, t]) => {
							history.pushState(null, "", `?q=action:hostile.tried&range=all&sel=${id}&tab=${t}`);
							dispatchEvent(new PopStateEvent("popstate"));
						},
						[r.id, tab],
					);
					await page.waitForFunction((id) => document.querySelector(".event-ids")?.textContent.includes(id), r.id);
				}
			}
			const bad = await page.evaluate(() => document.querySelectorAll("#app script, #app img, #app style, #app iframe").length);
			expect(bad === 0, `${bad} elements were made of text`);
			expect((await page.evaluate(() => document.documentElement.scrollWidth)) <= 1440, "a long value made the page wider");
		},
	},
	{
		name: "missing",
		failures: ["/v1/events/"],
		async run({ open, page }) {
			await open("/o/org_acme/events/evt_01m7z7rs1affyad5cmxxj94a79");
			await page.waitForSelector(".empty");
		},
	},
];
