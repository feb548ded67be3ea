import { type Token, tokens } from "./tokens";

/** Adds and removes conditions of a query without touching the rest of its text: what facets and the menus of values do. */

/** One condition that every entry found must meet: a member of the outermost AND. */
interface Clause {
	from: number;
	to: number;
	negated: boolean;
	/** In lower case, without ":"; empty: free text, a group, or anything else that is not changed here. */
	field: string;
	/** The values as they are written, with their places. */
	values: { from: number; to: number; text: string }[];
}

interface Shape {
	clauses: Clause[];
	/** The outermost operator is OR: the text is one clause of an AND only in parentheses. */
	either: boolean;
}

function shapeOf(text: string): Shape {
	const shape: Shape = { clauses: [], either: false };
	let depth = 0;
	let now: Clause | undefined;
	let not = 0;
	let simple = false;
	const end = (): void => {
		if (now) shape.clauses.push(now);
		now = undefined;
	};
	const begin = (t: Token): Clause => {
		now ??= { from: t.from, to: t.to, negated: false, field: "", values: [] };
		return now;
	};
	for (const t of tokens(text)) {
		const inside = depth > 0;
		if (t.kind === "open") depth++;
		if (t.kind === "close") depth = Math.max(0, depth - 1);
		if (inside) {
			begin(t).to = t.to;
			continue;
		}
		const source = text.slice(t.from, t.to);
		if (t.kind === "space") {
			if (not === 0) end();
			continue;
		}
		if (t.kind === "operator") {
			if (source === "NOT") {
				if (not === 0) end();
				begin(t).to = t.to;
				not++;
				continue;
			}
			end();
			if (source === "OR") shape.either = true;
			continue;
		}
		if (t.kind === "open" && not === 0) end();
		const c = begin(t);
		c.to = t.to;
		if (not > 0) {
			c.negated = not % 2 === 1;
			not = 0;
		}
		if (t.kind === "minus") c.negated = !c.negated;
		else if (t.kind === "field") {
			c.field = source.slice(0, -1).toLowerCase();
			simple = true;
		} else if (t.kind === "compare") {
			c.field = "";
			simple = false;
		} else if (simple && (t.kind === "value" || t.kind === "quoted" || t.kind === "wildcard")) {
			const last = c.values.at(-1);
			if (last && last.to === t.from) {
				last.to = t.to;
				last.text += source;
			} else c.values.push({ from: t.from, to: t.to, text: source });
		}
		if (t.kind === "text" || t.kind === "open" || t.kind === "close") c.field = "";
	}
	end();
	return shape;
}

const special = /[ \t\r\n"(),\\*]/;
const escaped = /[ \t\r\n"(),\\*]/g;
const MAX_QUOTED = 512;

function quote(text: string): string {
	return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** A value that means itself, in quotes only where it needs them, as the server prints it. */
export function writeValue(value: string): string {
	if (value !== "" && !special.test(value) && !/^[<>]/.test(value)) return value;
	const inQuotes = quote(value);
	if (value === "" || [...inQuotes].length <= MAX_QUOTED + 2) return inQuotes;
	return value.replace(escaped, "\\$&").replace(/^[<>]/, "\\$&");
}

/** A value of target: TYPE:ID, which cannot be quoted as a whole. */
export function writeTarget(type: string, id: string): string {
	return `${type.replace(/[ \t\r\n"(),\\*:]/g, "\\$&")}:${id.replace(escaped, "\\$&")}`;
}

/** The field of a metadata key, whose names are joined by dots: meta.plan, meta."cost center". */
export function writeMeta(key: string, of: "meta" | "actor.meta" | "target.meta" = "meta"): string {
	return /^[\p{L}\p{Nd}_/-]+(\.[\p{L}\p{Nd}_/-]+)*$/u.test(key) ? `${of}.${key}` : `${of}.${quote(key)}`;
}

/** A value of a metadata field: one that reads like a range of numbers is quoted. */
export function writeMetaValue(value: string): string {
	const text = writeValue(value);
	return /^-?\d[\d.eE+-]*\.\.-?\d/.test(text) ? quote(value) : text;
}

export type Stand = "included" | "excluded" | "none";

/** How a query stands to a value, which is written as it stands in one: writeValue, writeTarget. */
export function standOf(query: string, field: string, value: string): Stand {
	const shape = shapeOf(query);
	if (shape.either) return "none";
	for (const c of shape.clauses) {
		if (c.field === field.toLowerCase() && c.values.some((v) => same(v.text, value))) return c.negated ? "excluded" : "included";
	}
	return "none";
}

/** The values of a field that the query includes, or excludes. */
export function valuesOf(query: string, field: string, stand: Stand = "included"): string[] {
	const shape = shapeOf(query);
	if (shape.either) return [];
	const clauses = shape.clauses.filter((c) => c.field === field.toLowerCase() && c.negated === (stand === "excluded"));
	return clauses.flatMap((c) => c.values.map((v) => v.text));
}

function same(a: string, b: string): boolean {
	return a === b || unquote(a) === unquote(b);
}

/** What a written value means, if it means exactly one text; else itself behind a mark that no value begins with. */
function unquote(text: string): string {
	if (/^"(?:[^"\\]|\\["\\])*"$/.test(text)) return text.slice(1, -1).replace(/\\(.)/gs, "$1");
	if (text.includes("*")) return `*${text}`;
	return text.replace(/\\([\s\S])/g, "$1");
}

/**
 * The query that finds only entries with the value, too: beside other values of the field when it has some, as a facet's boxes do.
 * An exclusion of the value is taken out.
 */
export function include(query: string, field: string, value: string): string {
	if (standOf(query, field, value) === "included") return query;
	const text = without(query, field, value);
	const shape = shapeOf(text);
	const clause = shape.either ? undefined : shape.clauses.find((c) => !c.negated && c.field === field.toLowerCase() && c.values.length > 0);
	if (!clause) return and(text, `${field}:${value}`);
	return `${text.slice(0, clause.to)},${value}${text.slice(clause.to)}`;
}

/** The query that finds no entry with the value. An inclusion of the value is taken out. */
export function exclude(query: string, field: string, value: string): string {
	if (standOf(query, field, value) === "excluded") return query;
	return and(without(query, field, value), `-${field}:${value}`);
}

/** The query without the value, included or excluded; the whole condition goes with its last value. */
export function without(query: string, field: string, value: string): string {
	const shape = shapeOf(query);
	if (shape.either) return query;
	let text = query;
	for (const c of shape.clauses.reverse()) {
		if (c.field !== field.toLowerCase() || !c.values.some((v) => same(v.text, value))) continue;
		const rest = c.values.filter((v) => !same(v.text, value)).map((v) => v.text);
		if (rest.length === 0) {
			text = cut(text, c.from, c.to);
		} else {
			const first = c.values[0] as { from: number };
			text = text.slice(0, first.from) + rest.join(",") + text.slice(c.to);
		}
	}
	return text === query ? query : bare(text);
}

/** The query without the condition that is written so, such as the text of a chip. */
export function withoutClause(query: string, clause: string): string {
	const shape = shapeOf(query);
	const found = shape.either ? undefined : shape.clauses.find((c) => query.slice(c.from, c.to) === clause);
	return found ? bare(cut(query, found.from, found.to)) : query;
}

/** The conditions that must all hold, as they are written; one when the outermost operator is OR. */
export function clauses(query: string): string[] {
	const shape = shapeOf(query);
	if (shape.either) return [query.trim()];
	return shape.clauses.map((c) => query.slice(c.from, c.to));
}

/** Both must hold. */
export function and(query: string, condition: string): string {
	const text = query.trim();
	if (text === "") return condition;
	return shapeOf(text).either ? `(${text}) ${condition}` : `${text} ${condition}`;
}

/** Takes a piece out, with an AND that joined it, and leaves one space where it stood. */
function cut(text: string, from: number, to: number): string {
	const before = text
		.slice(0, from)
		.replace(/(^|[ \t\r\n])AND[ \t\r\n]+$/, "$1")
		.trimEnd();
	let after = text.slice(to).trimStart();
	if (before === "") after = after.replace(/^AND[ \t\r\n]+/, "");
	return before === "" ? after : after === "" ? before : `${before} ${after}`;
}

/** Takes the parentheses off when they hold the whole query. */
function bare(text: string): string {
	const all = tokens(text).filter((t) => t.kind !== "space");
	if (all[0]?.kind !== "open" || all.at(-1)?.kind !== "close") return text;
	let depth = 0;
	for (const [i, t] of all.entries()) {
		if (t.kind === "open") depth++;
		if (t.kind === "close" && --depth === 0 && i < all.length - 1) return text;
	}
	return text.slice((all[0] as Token).to, (all.at(-1) as Token).from).trim();
}
