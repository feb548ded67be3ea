import { type Row, rowsOf, type Shown, english as spokenEnglish } from "../diff/model";
import { type Json, member, type Obj, textOf } from "../json/read";
import { visible } from "../sentence/visible";
import { h } from "./dom";
import type { Messages } from "./messages";

/** What an event says besides its sentence: changes, who, on what, from where, why. */
export function details(entry: Obj, m: Messages): HTMLElement {
	const list = h("dl");
	const add = (name: string, ...value: (Node | string)[]): void => {
		list.append(h("dt", {}, name), h("dd", {}, ...value));
	};
	for (const row of rowsOf(entry.get("changes"), { ...spokenEnglish, changed: m.changed, added: m.added, removed: m.removed, hidden: m.hiddenValue })) {
		add(row.names.join(" / ") || m.words.everything, ...changeOf(row));
	}
	const error = [textOf(entry, "error", "code"), textOf(entry, "error", "message")].filter((x) => x !== "").join(" ");
	const outcome = textOf(entry, "outcome");
	if (outcome === "failure" || outcome === "denied") add(outcome === "failure" ? m.failed : m.denied, h("span", { class: "bad" }, visible(error)));
	for (const [name, value] of [
		[m.actor, party(member(entry, "actor"))],
		[m.target, listOf(member(entry, "targets")).map(party).join("\n")],
		[m.reason, visible(textOf(entry, "reason"))],
		[m.from, visible(textOf(entry, "context", "ip"))],
		[m.erased, listOf(entry.get("erased_fields")).map(String).map(visible).join("\n")],
	] as const) {
		if (value !== "") add(name, value);
	}
	add(m.id, h("span", { class: "mono" }, visible(textOf(entry, "id"))));
	return list;
}

const listOf = (v: Json | undefined): Json[] => (Array.isArray(v) ? v : []);

/** An actor or target with its id. */
function party(v: Json | undefined): string {
	const name = textOf(v, "name");
	const ref = [textOf(v, "type"), textOf(v, "id")].filter((x) => x !== "").join(":");
	return visible([name, name === "" ? ref : ref === "" ? "" : `(${ref})`].filter((x) => x !== "").join(" "));
}

/** One change: what came and went is marked, and read out in words. */
export function changeOf(row: Row): Node[] {
	const said = h("span", { class: "sr" }, row.spoken);
	const seen = h("span", { "aria-hidden": "true" });
	const put = (kind: "del" | "ins", text: string): void => {
		seen.append(h(kind, { class: kind }, text));
	};
	if (row.is === "words" || row.is === "lines") {
		for (const [i, r] of row.runs.entries()) {
			const before = row.runs[i - 1];
			if (row.is === "words" && before && before.kind !== "same" && r.kind !== "same") seen.append(" ");
			if (row.is === "lines") {
				const sign = { same: "  ", del: "− ", ins: "+ " }[r.kind];
				const text = r.text.replaceAll("\n", `\n${sign}`);
				seen.append(h("span", { class: `line ${r.kind}` }, sign + text));
			} else if (r.kind === "same") seen.append(r.text);
			else put(r.kind, r.text);
		}
	} else if (row.is === "list") {
		for (const [i, item] of row.items.entries()) {
			if (i > 0) seen.append("  ");
			put(item.op === "+" ? "ins" : "del", `${item.op} ${plain(item.shown)}`);
		}
	} else {
		if (row.before) put("del", plain(row.before));
		if (row.before && row.after) seen.append(" → ");
		if (row.after) put("ins", plain(row.after));
	}
	return [seen, said];
}

function plain(s: Shown): string {
	return s.type === "string" && s.text === "" ? '""' : s.text;
}

/** The first change on one line, for the list. */
export function hint(entry: Obj): string {
	const [row, ...rest] = rowsOf(entry.get("changes"));
	if (!row) return "";
	const name = row.names.join(" / ");
	const more = rest.length > 0 ? ` · +${rest.length}` : "";
	const cut = (s: Shown | undefined): string => (s ? plain(s).slice(0, 60) : "–");
	if (row.is === "list") return `${name} ${row.items.map((i) => `${i.op} ${cut(i.shown)}`).join("  ")}${more}`;
	return `${name} ${cut(row.before)} → ${cut(row.after)}${more}`;
}
