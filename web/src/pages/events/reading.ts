// How an entry reads in one line, and by which path a column finds its value.
import { compact, isObject, type Json, Num, wire } from "../../api/json";
import type { Entry } from "../../api/types";
import { isKey, type Key, t, words } from "../../messages/messages";
import { halves, type Part, sentenceOf, textOfParts } from "../../sentence/render";
import { visible } from "../../sentence/visible";
import { templates, templatesOf } from "../../state/sentences";

/** An entry in words: who, what, and both together. */
export type Reading = { who: string; what: string; whole: string };

let known = new WeakMap<Entry, Reading>();
let knownBy: unknown[] = [];

/** The sentence of an entry, without the outcome's suffix: a row has its own mark for that. */
export function read(entry: Entry): Reading {
	const by = [templates.value, words()];
	if (by.some((one, i) => one !== knownBy[i])) {
		knownBy = by; // what was read without them reads otherwise now
		known = new WeakMap();
	}
	const found = known.get(entry);
	if (found) return found;
	if (!entry.action) return remember(entry, actOf(entry));
	const all = sentenceOf(wire(entry), templatesOf(entry), undefined, words());
	const parts = all.filter((p: Part) => p.kind !== "outcome");
	const { who, what } = halves(parts, words());
	return remember(entry, { who, what: textOfParts(what), whole: textOfParts(all) });
}

function remember(entry: Entry, reading: Reading): Reading {
	known.set(entry, reading);
	return reading;
}

/** What has no action: an act of the log itself, such as a hold, or the place of an entry that was removed. */
function actOf(entry: Entry): Reading {
	const word = (name: string) => (typeof entry[name] === "string" ? visible(entry[name]) : "");
	const removed = word("removed");
	if (removed) {
		const what = `▒ ${t(removed === "erased" ? "act.erased" : "act.removed", { by: word("by") })}`;
		return { who: "", what, whole: what };
	}
	const by = entry["by"] as { type?: unknown; id?: unknown } | undefined;
	const who = by && typeof by === "object" ? visible(`${by.type} ${by.id}`) : "";
	const act = [word("op"), word("state")].filter(Boolean).join(".");
	const what = isKey(`act.${act}`) ? t(`act.${act}` as Key, { why: word("reason") || word("policy") }).replace(/: $/, "") : act.replace(".", " ");
	return { who, what, whole: [who, what].filter(Boolean).join(" ") };
}

/** Received so much later or earlier than it occurred, in milliseconds, that the clocks want a look; 0: all is well. */
export function skew(entry: Entry): number {
	if (!entry.occurred_at) return 0;
	const late = new Date(entry.received_at).getTime() - new Date(entry.occurred_at).getTime();
	return late > 300_000 || late < -60_000 ? late : 0;
}

/** When it happened: the producer's time, else that of the log. */
export function when(entry: Entry): string {
	return entry.occurred_at ?? entry.received_at ?? "";
}

/** Fields of the query language that stand elsewhere in an entry. */
const places: Record<string, string[]> = {
	ip: ["context", "ip"],
	user_agent: ["context", "user_agent"],
	request_id: ["context", "request_id"],
	trace_id: ["context", "trace_id"],
	session_id: ["context", "session_id"],
	"http.method": ["context", "http", "method"],
	"http.route": ["context", "http", "route"],
	"http.path": ["context", "http", "path"],
	"http.status_code": ["context", "http", "status_code"],
};

/** The value of a field of the query language in an entry, as text; "" when it has none. */
export function fieldText(entry: Entry, field: string): string {
	if (field === "target" || field.startsWith("target.")) {
		const rest = field.slice(7);
		return (entry.targets ?? [])
			.map((one) => (rest ? text(dig(one as Json, rest.split("."))) : `${one.type}:${one.id}`))
			.filter(Boolean)
			.join(", ");
	}
	if (field === "outcome") return entry.outcome ?? "success";
	if (field.startsWith("meta.")) return text(dig(entry.metadata as Json, keyNames(field.slice(5))));
	return text(dig(entry as unknown as Json, places[field] ?? field.split(".")));
}

/** meta."cost center".x: names may be quoted. */
function keyNames(path: string): string[] {
	return Array.from(path.matchAll(/"((?:[^"\\]|\\.)*)"|[^.]+/g), (m) => (m[1] === undefined ? m[0] : m[1].replace(/\\(.)/g, "$1")));
}

function dig(value: Json | undefined, names: string[]): Json | undefined {
	let at = value;
	for (const name of names) {
		if (!isObject(at)) return undefined;
		at = at[name];
	}
	return at;
}

function text(value: Json | undefined): string {
	if (value === undefined || value === null) return "";
	if (typeof value === "string") return visible(value);
	if (typeof value === "object" && !(value instanceof Num)) return visible(compact(value));
	return String(value instanceof Num ? value.text : value);
}
