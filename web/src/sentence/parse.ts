/** Reads sentence templates as Go does; the server refuses what this refuses, with the same words (sentences.json). */

export const MAX_TEMPLATE = 500;
export const MAX_PLACEHOLDERS = 32;

import { isInvisible } from "./visible";

export type Piece =
	| { what: "literal"; text: string }
	| { what: "actor" | "target" | "targets" | "reason" | "error.code" | "action" }
	| { what: "changed"; path?: string }
	| { what: "meta"; keys: string[] }
	| { what: "group"; pieces: Piece[] };

/** What is wrong with a template: pos and length count code points from 0. */
export class TemplateError extends Error {
	constructor(
		readonly code: string,
		readonly pos: number,
		readonly length: number,
		message: string,
	) {
		super(message);
	}
}

const names = ["actor", "target", "targets", "changed", "reason", "error.code", "action", "meta.KEY", "changed:/PATH"];
const simple = new Set(["actor", "target", "targets", "changed", "reason", "error.code", "action"]);

export function parseTemplate(text: string): Piece[] {
	const p = new Parser([...text]);
	if (/^ *$/.test(text)) p.fail("empty", 0, p.all.length, "A sentence needs words.");
	if (p.all.length > MAX_TEMPLATE) p.fail("too_long", MAX_TEMPLATE, p.all.length - MAX_TEMPLATE, `A sentence has at most ${MAX_TEMPLATE} characters.`);
	return p.pieces(false);
}

class Parser {
	private at = 0;
	private placed = 0;

	constructor(readonly all: readonly string[]) {}

	fail(code: string, pos: number, length: number, message: string): never {
		throw new TemplateError(code, pos, length, message);
	}

	/** Reads to the end, or in a group to its bracket, which it leaves. */
	pieces(inGroup: boolean): Piece[] {
		const out: Piece[] = [];
		let text = "";
		const flush = (): void => {
			if (text !== "") out.push({ what: "literal", text });
			text = "";
		};
		while (this.at < this.all.length) {
			const c = this.all[this.at] as string;
			if ("{}[]".includes(c) && this.all[this.at + 1] === c) {
				text += c;
				this.at += 2;
			} else if (c === "{") {
				const placed = this.placeholder();
				flush();
				out.push(placed);
			} else if (c === "[") {
				if (inGroup) this.fail("nested_group", this.at, 1, "Brackets do not stand in brackets. For the character write [[.");
				const group = this.group();
				flush();
				out.push(group);
			} else if (c === "]" && inGroup) {
				break;
			} else if (c === "]" || c === "}") {
				this.fail("stray", this.at, 1, `This "${c}" closes nothing. For the character write ${c}${c}.`);
			} else if (/[\u0000-\u001f\u007f]/.test(c) || isInvisible(c)) {
				this.fail("invisible", this.at, 1, "A sentence is one line without characters that nobody sees.");
			} else {
				text += c;
				this.at++;
			}
		}
		flush();
		return out;
	}

	private group(): Piece {
		const from = this.at++;
		const before = this.placed;
		const pieces = this.pieces(true);
		if (this.at >= this.all.length) this.fail("unclosed", from, 1, 'This "[" is never closed. For the character write [[.');
		this.at++;
		if (this.placed === before) {
			this.fail("empty_group", from, this.at - from, "Nothing in these brackets can be missing. For the character write [[.");
		}
		return { what: "group", pieces };
	}

	private placeholder(): Piece {
		const from = this.at;
		let quoted = false;
		for (this.at++; this.at < this.all.length; this.at++) {
			const c = this.all[this.at];
			if (quoted && c === "\\") this.at++;
			else if (c === '"') quoted = !quoted;
			else if (c === "}" && !quoted) {
				const name = this.all.slice(from + 1, this.at).join("");
				this.at++;
				return this.named(from, name);
			}
		}
		return this.fail("unclosed", from, 1, 'This "{" is never closed. For the character write {{.');
	}

	private named(from: number, name: string): Piece {
		const wrong = (code: string, message: string): never => this.fail(code, from, this.at - from, message);
		if (++this.placed > MAX_PLACEHOLDERS) wrong("too_many", `A sentence has at most ${MAX_PLACEHOLDERS} placeholders.`);
		if (simple.has(name)) return { what: name } as Piece;
		if (name.startsWith("changed:")) {
			const path = name.slice("changed:".length);
			if (!/^\/([^~]|~[01])*$/s.test(path)) {
				wrong("bad_path", 'After "changed:" stands the path of a change, such as /amount; in a name ~0 is "~" and ~1 is "/".');
			}
			return { what: "changed", path };
		}
		if (name.startsWith("meta.")) {
			const keys = memberNames(name.slice("meta.".length));
			if (!keys) {
				return wrong("bad_path", 'After "meta." stand member names joined by dots; one with a dot, a brace or a quote stands in quotes: meta."cost.center".');
			}
			return { what: "meta", keys };
		}
		return wrong("unknown_placeholder", `There is no placeholder {${name}}.${suggest(name)}`);
	}
}

/** Cuts a."b.c" into its names. */
function memberNames(text: string): string[] | undefined {
	const all: string[] = [];
	const one = /"((?:[^"\\]|\\["\\])*)"|[^."{\\]+/y;
	for (;;) {
		const m = one.exec(text);
		if (!m) return undefined;
		all.push(m[1] === undefined ? m[0] : m[1].replace(/\\(.)/gs, "$1"));
		if (one.lastIndex === text.length) return all;
		if (text[one.lastIndex] !== ".") return undefined;
		one.lastIndex++;
	}
}

function suggest(name: string): string {
	let best = "";
	let far = FAR;
	for (const n of names) {
		const d = distance(name.toLowerCase(), n);
		if (d < far) [best, far] = [n, d];
	}
	return best !== "" ? ` Did you mean {${best}}?` : ` There are {${names.join("}, {")}}.`;
}

const FAR = 3;

/** How many letters to insert, drop or change, at most FAR. */
function distance(a: string, b: string): number {
	if (Math.abs(a.length - b.length) >= FAR || a.length > 64) return FAR;
	const row = Array.from({ length: b.length + 1 }, (_, j) => j);
	for (let i = 0; i < a.length; i++) {
		let diagonal = row[0] as number;
		row[0] = i + 1;
		for (let j = 0; j < b.length; j++) {
			const change = diagonal + (a[i] === b[j] ? 0 : 1);
			diagonal = row[j + 1] as number;
			row[j + 1] = Math.min(change, (row[j] as number) + 1, diagonal + 1);
		}
	}
	return Math.min(row[b.length] as number, FAR);
}
