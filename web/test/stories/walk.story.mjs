// Every place of the console at four widths: nothing scrolls sideways, nothing is cut off unsaid, what has the focus shows it, axe finds
// nothing. At night all widths in both themes; in the fast size two widths in one theme, by turns.
import { focusRing, looks } from "./look.mjs";

const org = "org_acme";
const widths = [
	[390, 844],
	[820, 1180],
	[1440, 900],
	[2560, 1440],
];

let made;
/** What the places show: made once for all of them. Returns the ids in it. */
function sample(api) {
	made ??= (async () => {
		const receipt = await api("POST", "/v1/events", {
			action: "invoice.amended",
			actor: { type: "user", id: "usr_7", name: "Grace Hopper", email: "grace@acme.com", via: [{ type: "user", id: "usr_1", name: "Ada Byron" }] },
			targets: [{ type: "invoice", id: "walked", name: "Invoice 4711" }],
			before: { amount: "1200.00", note: "Net 30 days, paid by card", lines: [{ qty: 4 }], tags: [] },
			after: { amount: "1450.00", note: "Net 45 days, paid by bank transfer", lines: [{ qty: 5 }], tags: ["priority"] },
			reason: "PO 7781",
			context: { ip: "203.0.113.9", user_agent: "Firefox/149.0" },
		});
		await api("POST", "/v1/actions/invoice.amended/schemas", { sentence: "{actor} changed {changed} of {target}" });
		const views = (await api("GET", "/v1/views")).views.map((v) => v.name);
		if (!views.includes("Privileged changes"))
			await api("POST", "/v1/views", { name: "Privileged changes", search: "q=action%3Arole.*%2Cmember.*&from=now-7d", shared: true });
		if (!views.includes("What failed"))
			await api("POST", "/v1/views", { name: "What failed", search: "q=outcome%3Afailure%2Cdenied&from=now-24h&tz=Europe%2FBerlin" });
		await api("POST", "/v1/exports", { query: "outcome:denied", format: "csv" });
		const file = await api("POST", "/v1/exports", { query: "action:invoice.*", format: "ndjson" });
		await api("PUT", "/v1/retention", {
			rules: [
				{ match: "action:auth.*", keep: "400d" },
				{ match: "action:*.viewed", keep: "90d" },
			],
		});
		const { holds } = await api("GET", "/v1/holds");
		if (holds.length === 0) await api("POST", "/v1/holds", { query: "target:invoice:walked", reason: "Case 118" });
		await api("POST", "/v1/erasures", { query: "actor.id:usr_9 action:document.viewed", fields: ["/context/ip"], reason: "Request 7" }).catch(() => undefined);
		await api("POST", "/v1/keys", { name: "billing-service", scopes: ["record"], org });
		const state = async () => (await api("GET", `/v1/exports/${file.id}`)).state;
		for (let s = await state(); s === "pending" || s === "running"; s = await state()) await new Promise((done) => setTimeout(done, 100));
		return { event: receipt.id, file: file.id };
	})();
	return made;
}

/** The name of each place, its address within the organization or "/…", what is there when it is all there, and what is done then. */
const places = [
	["events", "/events?from=now-30d", ".event-row[data-row]"],
	["drawer", "/events?from=now-30d&sel=EVENT", ".drawer .diff"],
	["event", "/events/EVENT", ".event-page .diff"],
	["event-proof", "/events/EVENT?tab=proof", ".proof-say"],
	["event-around", "/events/EVENT?tab=around", ".near-this"],
	["start", "/start", "pre.command"],
	["timelines", "/timelines", ".page-body a[href*='/targets/']"],
	["target", "/targets/invoice/walked", ".moment"],
	["actor", "/actors/user/usr_7", ".moment"],
	["versions", "/targets/invoice/walked/versions", ".versions-table"],
	["views", "/views", ".view"],
	["exports", "/exports", ".table tbody tr"],
	["export", "/exports/FILE", "dialog dt"],
	["integrity", "/integrity", ".integrity-check .button"],
	["schemas", "/settings/schemas", ".table tbody tr"],
	["schema", "/settings/schemas?action=invoice.amended", ".schema-preview li"],
	["retention", "/settings/retention", ".plan"],
	["holds", "/settings/retention?tab=holds", ".table tbody tr"],
	["erasures", "/settings/retention?tab=erasures", ".page-body .tab-panel"],
	["keys", "/settings/keys", ".table tbody tr"],
	["viewer-settings", "/settings/viewer", ".viewer-allowed"],
	["instance", "//admin", ".table tbody tr"],
	["licences", "//admin/licences", ".table tbody tr"],
	["sign-in", "//signin", "form"],
	["nowhere", "/nowhere", ".empty"],
];

export default places.map(([name, path, ready], at) => ({
	name,
	failures: name === "nowhere" ? ["/nowhere"] : name === "sign-in" ? ["/v1/whoami"] : [],
	anonymous: name === "sign-in",
	axe: false,
	async run({ api, open, quiet, page, expect, shot, axe, fast }) {
		const { event, file } = await sample(api);
		const address = (path.startsWith("//") ? path.slice(1) : `/o/${org}${path}`).replace("EVENT", event).replace("FILE", file);
		const turns = fast ? widths.filter((_, i) => i % 2 === at % 2) : widths;
		await page.setViewportSize({ width: turns[0][0], height: turns[0][1] });
		await open(address);
		const wrong = [];
		for (const [width, height] of turns) {
			await page.setViewportSize({ width, height });
			await page.waitForSelector(ready);
			await quiet();
			if (!fast) await shot(String(width));
			wrong.push(...(await looks(page)).map((w) => `${width}: ${w}`));
			if (!fast || width === turns[0][0]) await axe(`${width}: `);
		}
		wrong.push(...(await focusRing(page, fast ? 16 : 60)));
		expect(wrong.length === 0, wrong.join("\n"));
	},
}));
