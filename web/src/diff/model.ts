import { type Json, member, Num, type Obj, textOf } from "../json/read";
import { plainText, readSide, type Side } from "../sentence/value";
import { visible } from "../sentence/visible";
import { lines, type Run, words } from "./words";

/**
 * What a reader sees of the changes of an entry. The structure comes from the server, as RFC 6901 paths; nothing is compared here but the
 * two texts of one change. Every text is visible (sentence/visible.ts), in its lines.
 */
export type Row =
	/** One value became another, came or went. */
	| { is: "value"; names: string[]; path: string; before?: Shown; after?: Shown; spoken: string }
	/** A text became another: the runs with del and ins. */
	| { is: "words"; names: string[]; path: string; runs: Run[]; before: Shown; after: Shown; spoken: string }
	/** Something with members became another: line by line. */
	| { is: "lines"; names: string[]; path: string; runs: Run[]; before: Shown; after: Shown; spoken: string }
	/** Elements that came to a list or left it. */
	| { is: "list"; names: string[]; path: string; items: { op: "+" | "−"; index: string; shown: Shown }[]; spoken: string };

/** One side of a change. hidden: only that there is a value was recorded, or a tag that equal values share. */
export interface Shown {
	text: string;
	type: "string" | "number" | "boolean" | "null" | "object" | "array" | "hidden";
}

/** The words of a spoken change. {} stand for values in order. */
export interface Spoken {
	changed: string;
	added: string;
	removed: string;
	hidden: string;
}

export const english: Spoken = { changed: "changed from {} to {}", added: "added {}", removed: "removed {}", hidden: "a value that is not shown" };

/** The rows of an entry's changes in their order. Of a damaged change nothing is made up: it is left out. */
export function rowsOf(changes: Json | undefined, spoken: Spoken = english): Row[] {
	const rows: Row[] = [];
	if (!Array.isArray(changes)) return rows;
	for (const c of changes) {
		if (!(c instanceof Map) || typeof c.get("path") !== "string") continue;
		const row = rowOf(c, spoken);
		const last = rows.at(-1);
		if (row.is === "list" && last?.is === "list" && last.path === row.path) {
			last.items.push(...row.items);
			last.spoken += `; ${row.spoken}`;
		} else {
			rows.push(row);
		}
	}
	return rows;
}

function rowOf(c: Obj, spoken: Spoken): Row {
	const path = textOf(c, "path");
	const names = namesOf(path);
	const old = readSide(c.get("old"));
	const now = readSide(c.get("new"));
	const before = shown(old);
	const after = shown(now);
	const said = say(before, after, spoken);
	const index = names.at(-1);
	if (index !== undefined && names.length > 1 && /^(0|[1-9]\d*)$/.test(index) && (before === undefined) !== (after === undefined)) {
		const item = after ? { op: "+" as const, index, shown: after } : { op: "−" as const, index, shown: before as Shown };
		return { is: "list", names: names.slice(0, -1), path: path.slice(0, path.lastIndexOf("/")), items: [item], spoken: said };
	}
	if (before && after) {
		if (before.type === "string" && after.type === "string") {
			const runs = words(before.text, after.text);
			// Texts with nothing in common read better side by side, and so do dates, ids and whatever else is one word.
			if (prose(before.text, after.text) && runs.some((r) => r.kind === "same" && /\S/.test(r.text)))
				return { is: "words", names, path, runs, before, after, spoken: said };
		}
		const container = (s: Shown): boolean => s.type === "object" || s.type === "array";
		if (container(before) && container(after) && old.is === "json" && now.is === "json") {
			const runs = lines(visibleLines(pretty(old.value)), visibleLines(pretty(now.value)));
			return { is: "lines", names, path, runs, before, after, spoken: said };
		}
	}
	return { is: "value", names, path, ...(before ? { before } : {}), ...(after ? { after } : {}), spoken: said };
}

/** Whether both are texts of several words, which a reader compares word by word. Scripts that set no spaces count by their letters. */
function prose(before: string, after: string): boolean {
	const several = (text: string): boolean =>
		/\S\s+\S/.test(text) || /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Khmer}\p{sc=Lao}\p{sc=Myanmar}]/u.test(text);
	return several(before) && several(after);
}

/** The components of an RFC 6901 pointer for people; none: the document as a whole. */
export function namesOf(path: string): string[] {
	if (path === "") return [];
	return path
		.replace(/^\//, "")
		.split("/")
		.map((name) => visible(name.replaceAll("~1", "/").replaceAll("~0", "~")));
}

function shown(side: Side): Shown | undefined {
	switch (side.is) {
		case "absent":
			return undefined;
		case "masked":
			return { text: "▒", type: "hidden" };
		case "hashed":
			return { text: `▒ ${visible(side.tag)}`.trim(), type: "hidden" };
		case "json":
			return { text: visibleLines(plainText(side.value)), type: typeOf(side.value) };
	}
}

function typeOf(value: Json): Shown["type"] {
	if (value === null) return "null";
	if (typeof value === "string") return "string";
	if (typeof value === "boolean") return "boolean";
	if (value instanceof Num) return "number";
	return Array.isArray(value) ? "array" : "object";
}

/** The text with its line breaks, and everything else that nobody sees as symbols. */
export function visibleLines(text: string): string {
	return text.split("\n").map(visible).join("\n");
}

function say(before: Shown | undefined, after: Shown | undefined, spoken: Spoken): string {
	const value = (s: Shown): string => (s.type === "hidden" ? spoken.hidden : s.text === "" ? '""' : s.text);
	const fill = (text: string, ...values: string[]): string => text.replace(/\{\}/g, () => values.shift() ?? "");
	if (before && after) return fill(spoken.changed, value(before), value(after));
	if (after) return fill(spoken.added, value(after));
	return before ? fill(spoken.removed, value(before)) : "";
}

/** A value laid out over lines; numbers as they were written. */
export function pretty(value: Json, indent = ""): string {
	const deeper = `${indent}  `;
	if (Array.isArray(value)) {
		return value.length === 0 ? "[]" : `[\n${value.map((v) => deeper + pretty(v, deeper)).join(",\n")}\n${indent}]`;
	}
	if (value instanceof Map) {
		if (value.size === 0) return "{}";
		return `{\n${[...value].map(([name, v]) => `${deeper}${JSON.stringify(name)}: ${pretty(v, deeper)}`).join(",\n")}\n${indent}}`;
	}
	return typeof value === "string" ? JSON.stringify(value) : plainText(value);
}

/** How many fields of a state no change touches. */
export function unchanged(state: Json | undefined, changes: Json | undefined): number {
	if (state === undefined) return 0;
	const paths = Array.isArray(changes) ? changes.map((c) => textOf(member(c), "path")) : [];
	const touched = new Set(paths);
	let n = 0;
	const walk = (value: Json, path: string): void => {
		if (touched.has(path)) return;
		if (Array.isArray(value) && value.length > 0) for (const [i, v] of value.entries()) walk(v, `${path}/${i}`);
		else if (value instanceof Map && value.size > 0) for (const [name, v] of value) walk(v, `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
		else n++;
	};
	walk(state, "");
	return n;
}
