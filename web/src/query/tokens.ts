/**
 * The second tokenizer of the query language: it colours what stands in the search box, knows where quotes and parentheses are open and
 * in which token the caret stands. The server parses, completes and says what is wrong (package query; testdata/vectors/query.json).
 * Positions here are UTF-16 units, as in an input; toUnits and toPoints translate those of the server, which count code points.
 */

export type TokenKind = "space" | "open" | "close" | "operator" | "minus" | "field" | "compare" | "value" | "comma" | "wildcard" | "quoted" | "text";

export interface Token {
	kind: TokenKind;
	from: number;
	to: number;
	/** A quote that is never closed. */
	unclosed?: true;
}

const space = /[ \t\r\n]+/y;
const operator = /(?:OR|AND|NOT)(?=[ \t\r\n()]|$)/y;
const quoted = /"(?:[^"\\]|\\[\s\S])*("|\\?$)/y;
const field = /[\p{L}_][\p{L}\p{Nd}_]*(?:\.(?:"(?:[^"\\]|\\["\\])*"|[\p{L}\p{Nd}_/-]+))*:/uy;
const compare = /[<>]=?/y;
const bare = /(?:\\[\s\S]|\\$|[^ \t\r\n"(),\\*])+/uy;
const word = /(?:\\[\s\S]|\\$|[^ \t\r\n"()\\*])+/uy;

/** Cuts any text into tokens: together they are the text, also when it is no query. */
export function tokens(text: string): Token[] {
	const out: Token[] = [];
	let at = 0;
	const take = (kind: TokenKind, what: RegExp): boolean => {
		what.lastIndex = at;
		const found = what.exec(text);
		if (!found) return false;
		const token: Token = { kind, from: at, to: at + found[0].length };
		if (kind === "quoted" && found[1] !== '"') token.unclosed = true;
		out.push(token);
		at = token.to;
		return true;
	};
	const one = (kind: TokenKind): void => {
		out.push({ kind, from: at, to: ++at });
	};
	const ended = (): boolean => at >= text.length || " \t\r\n()".includes(text[at] as string);
	const values = (): void => {
		take("compare", compare);
		while (!ended()) {
			if (text[at] === ",") one("comma");
			else if (text[at] === "*") one("wildcard");
			else if (!take("quoted", quoted) && !take("value", bare)) one("value");
		}
	};
	while (at < text.length) {
		if (take("space", space)) continue;
		const c = text[at];
		if (c === "(") one("open");
		else if (c === ")") one("close");
		else if (take("operator", operator)) continue;
		else {
			if (c === "-") one("minus");
			if (take("field", field)) values();
			else
				while (!ended())
					if (text[at] === "*") one("wildcard");
					else if (!take("quoted", quoted) && !take("text", word)) one("text");
		}
	}
	return out;
}

/** What is open at the end of the text: where its quote or its parentheses begin. */
export function open(text: string): { quote?: number; parens: number[]; stray: number[] } {
	const state: { quote?: number; parens: number[]; stray: number[] } = { parens: [], stray: [] };
	for (const t of tokens(text)) {
		if (t.kind === "open") state.parens.push(t.from);
		else if (t.kind === "close" && state.parens.pop() === undefined) state.stray.push(t.from);
		else if (t.unclosed) state.quote = t.from;
	}
	return state;
}

/** The parenthesis that belongs to the one beside the caret. */
export function partner(text: string, caret: number): [number, number] | undefined {
	const stack: number[] = [];
	for (const t of tokens(text)) {
		if (t.kind === "open") stack.push(t.from);
		if (t.kind !== "close") continue;
		const from = stack.pop();
		if (from !== undefined && [from, from + 1, t.from, t.to].includes(caret)) return [from, t.from];
	}
	return undefined;
}

/** The run of characters without white space in which the caret stands: what completing replaces a part of. */
export function around(text: string, caret: number): { from: number; to: number; quoted: boolean } {
	let run: { from: number; to: number; quoted: boolean } | undefined;
	for (const t of tokens(text)) {
		if (t.kind === "space" || t.kind === "open" || t.kind === "close") {
			if (run && caret <= run.to) break;
			run = undefined;
			continue;
		}
		if (t.from > caret && !run) break;
		run ??= { from: t.from, to: t.to, quoted: false };
		run.to = t.to;
		if (t.kind === "quoted" && t.from < caret && (caret < t.to || t.unclosed)) run.quoted = true;
	}
	return run && run.from <= caret && caret <= run.to ? run : { from: caret, to: caret, quoted: false };
}

/** The place in UTF-16 units of a place in code points. */
export function toUnits(text: string, points: number): number {
	let units = 0;
	for (const c of text) {
		if (points-- <= 0) break;
		units += c.length;
	}
	return units;
}

/** The place in code points of a place in UTF-16 units. */
export function toPoints(text: string, units: number): number {
	let points = 0;
	let at = 0;
	for (const c of text) {
		if (at >= units) break;
		at += c.length;
		points++;
	}
	return points;
}
