/**
 * Strict JSON for what is proved: numbers keep their digits, a name stands once in its object, and nothing that two readers could
 * understand differently is accepted. The rules are those of package leaf; testdata/vectors/payload.json holds both to them.
 */

/** A number as it was written. It is never parsed: 9007199254740993 and 1.10 stay what they are. */
export class Num {
	constructor(readonly text: string) {}
}

/** The members of an object in the order of the text. A Map, so that no name means anything to JavaScript. */
export type Obj = Map<string, Json>;
export type Json = null | boolean | string | Num | Json[] | Obj;

export type FaultCode =
	| "invalid_utf8"
	| "syntax"
	| "lone_surrogate"
	| "nul"
	| "duplicate_key"
	| "not_object"
	| "trailing_data"
	| "too_deep"
	| "path_too_long"
	| "too_many_fields"
	| "too_large";

/** What is wrong with a JSON text, and where: at counts UTF-16 units from 0. */
export class Fault extends Error {
	constructor(
		readonly code: FaultCode,
		message: string,
		readonly at = 0,
	) {
		super(message);
	}
}

/** Bounds the nesting of any text; a payload has less (verify/payload.ts). */
const MAX_DEPTH = 500;

const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const plain = /[^"\\\u0000-\u001f]*/y;
const escapes: Record<string, string> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** The text of bytes that are UTF-8, else a Fault. A byte order mark stays, and is no JSON. */
export function decodeUTF8(bytes: Uint8Array): string {
	try {
		return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		throw new Fault("invalid_utf8", "not UTF-8");
	}
}

/** What a reader makes of numbers, and of an object: none of what it builds is changed afterwards. */
interface Maker<V, O> {
	number(text: string): V;
	object(): O;
	has(object: O, name: string): boolean;
	set(object: O, name: string, value: V): void;
}

const wireMaker: Maker<Json, Obj> = {
	number: (text) => new Num(text),
	object: () => new Map(),
	has: (object, name) => object.has(name),
	set: (object, name, value) => {
		object.set(name, value);
	},
};

/** Reads the one JSON value that is the whole text, or throws a Fault. */
export function readJSON(text: string): Json {
	return new Reader<Json, Obj>(text, wireMaker).whole();
}

/** Reads as readJSON does, into what maker makes. */
export function readInto<V, O extends V>(text: string, maker: Maker<V, O>): V {
	return new Reader<V, O>(text, maker).whole();
}

class Reader<V, O> {
	private at = 0;
	private depth = 0;

	constructor(
		private readonly text: string,
		private readonly maker: Maker<V, O>,
	) {}

	whole(): V {
		this.skip();
		const value = this.value();
		this.skip();
		if (this.at < this.text.length) throw new Fault("trailing_data", "something follows the JSON value", this.at);
		return value;
	}

	private fail(message: string): never {
		throw new Fault("syntax", message, this.at);
	}

	/** What the sticky expression finds here; the reader stands behind it. */
	private take(what: RegExp): string {
		what.lastIndex = this.at;
		if (!what.test(this.text)) return "";
		const found = this.text.slice(this.at, what.lastIndex);
		this.at = what.lastIndex;
		return found;
	}

	private skip(): void {
		for (;;) {
			const c = this.text.charCodeAt(this.at);
			if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
			this.at++;
		}
	}

	private value(): V {
		switch (this.text[this.at]) {
			case "{":
				return this.object() as unknown as V;
			case "[":
				return this.array() as unknown as V;
			case '"':
				return this.string() as unknown as V;
			case "t":
				return this.word("true", true) as unknown as V;
			case "f":
				return this.word("false", false) as unknown as V;
			case "n":
				return this.word("null", null) as unknown as V;
		}
		const token = this.take(number);
		if (token === "") this.fail("not a JSON value");
		return this.maker.number(token);
	}

	private word<T>(name: string, value: T): T {
		if (!this.text.startsWith(name, this.at)) this.fail("not a JSON value");
		this.at += name.length;
		return value;
	}

	private enter(): void {
		this.at++;
		if (++this.depth > MAX_DEPTH) throw new Fault("too_deep", "nested too deeply", this.at);
		this.skip();
	}

	/** Steps over a comma, or over the closing bracket: then it returns false. */
	private more(closing: string): boolean {
		this.skip();
		const c = this.text[this.at];
		if (c !== "," && c !== closing) this.fail(`"," or "${closing}" is missing`);
		this.at++;
		if (c === closing) {
			this.depth--;
			return false;
		}
		this.skip();
		return true;
	}

	private array(): V[] {
		this.enter();
		const all: V[] = [];
		if (this.text[this.at] === "]") {
			this.more("]");
			return all;
		}
		do all.push(this.value());
		while (this.more("]"));
		return all;
	}

	private object(): O {
		this.enter();
		const { maker } = this;
		const all = maker.object();
		if (this.text[this.at] === "}") {
			this.more("}");
			return all;
		}
		do {
			const at = this.at;
			if (this.text[at] !== '"') this.fail("a name is missing");
			const name = this.string();
			if (maker.has(all, name)) throw new Fault("duplicate_key", "a name stands twice in one object", at);
			this.skip();
			if (this.text[this.at] !== ":") this.fail('":" is missing');
			this.at++;
			this.skip();
			maker.set(all, name, this.value());
		} while (this.more("}"));
		return all;
	}

	private string(): string {
		const from = this.at++;
		let out = this.take(plain);
		if (this.text[this.at] === '"') {
			this.at++;
			return out;
		}
		for (;;) {
			const c = this.text[this.at];
			if (c === '"') break;
			if (c !== "\\") this.fail("a string is not closed, or holds a control character");
			out += this.escape();
			out += this.take(plain);
		}
		this.at++;
		if (lone.test(out)) throw new Fault("lone_surrogate", "half of a surrogate pair", from);
		if (out.includes("\0")) throw new Fault("nul", "a string holds U+0000", from);
		return out;
	}

	private escape(): string {
		const c = this.text[this.at + 1] ?? "";
		if (c === "u") {
			const hex = this.text.slice(this.at + 2, this.at + 6);
			if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail("a bad escape");
			this.at += 6;
			return String.fromCharCode(parseInt(hex, 16));
		}
		const means = Object.hasOwn(escapes, c) ? escapes[c] : undefined;
		if (means === undefined) this.fail("a bad escape");
		this.at += 2;
		return means;
	}
}

/**
 * A value that other code has read, as a Json: of a plain object the members, of anything with a text the number that it keeps. What is no
 * JSON is null.
 */
export function lift(value: unknown): Json {
	if (typeof value === "string" || typeof value === "boolean" || value instanceof Num || value instanceof Map) return value;
	if (typeof value === "number") return new Num(String(value));
	if (Array.isArray(value)) return value.map(lift);
	if (value === null || typeof value !== "object") return null;
	const { text } = value as { text?: unknown };
	if (typeof text === "string" && Object.getPrototypeOf(value) !== Object.prototype) return new Num(text);
	return new Map(
		Object.entries(value)
			.filter(([, v]) => v !== undefined)
			.map(([name, v]) => [name, lift(v)]),
	);
}

/** The member of an object, or undefined: value may be anything. */
export function member(value: Json | undefined, ...names: string[]): Json | undefined {
	for (const name of names) {
		if (!(value instanceof Map)) return undefined;
		value = value.get(name);
	}
	return value;
}

/** The text of a string member, else "". */
export function textOf(value: Json | undefined, ...names: string[]): string {
	const found = member(value, ...names);
	return typeof found === "string" ? found : "";
}

/** Writes a value on one line; numbers as they were written. */
export function writeJSON(value: Json): string {
	if (value === null || typeof value === "boolean") return String(value);
	if (typeof value === "string") return JSON.stringify(value);
	if (value instanceof Num) return value.text;
	if (Array.isArray(value)) return `[${value.map(writeJSON).join(",")}]`;
	return `{${[...value].map(([name, v]) => `${JSON.stringify(name)}:${writeJSON(v)}`).join(",")}}`;
}
