// JSON that keeps the digits of numbers: an audit log must show 9007199254740993 and 1.10 as they were said.

/** A number whose digits JavaScript would not keep. */
export class Digits {
	constructor(readonly text: string) {}
	toString(): string {
		return this.text;
	}
	toJSON(): number {
		return Number(this.text);
	}
}

/** Any JSON value. */
export type Json = string | number | boolean | null | Digits | Json[] | { [name: string]: Json };

/** Parses text; a number that JavaScript would write otherwise than it stands there is a Digits. Throws SyntaxError. */
export function parseJSON(text: string): Json {
	const reader = new Reader(text);
	const value = reader.value(0);
	reader.end();
	return value;
}

const numeral = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const blank = /[ \t\n\r]*/y;
const literals: [string, Json][] = [
	["true", true],
	["false", false],
	["null", null],
];

/** Reads one JSON text. JSON.parse can tell the digits of a number only in browsers of the last year. */
class Reader {
	private at = 0;
	constructor(private readonly text: string) {}

	value(depth: number): Json {
		this.skip();
		const c = this.text[this.at];
		if (depth > 1000) throw this.wrong();
		if (c === "{") return this.object(depth);
		if (c === "[") return this.array(depth);
		if (c === '"') return this.string();
		for (const [word, value] of literals) {
			if (this.text.startsWith(word, this.at)) {
				this.at += word.length;
				return value;
			}
		}
		numeral.lastIndex = this.at;
		const source = numeral.exec(this.text)?.[0];
		if (!source) throw this.wrong();
		this.at += source.length;
		const n = Number(source);
		return String(n) === source ? n : new Digits(source);
	}

	end(): void {
		this.skip();
		if (this.at < this.text.length) throw this.wrong();
	}

	private object(depth: number): Json {
		const members: { [name: string]: Json } = {};
		this.at++;
		for (let first = true; ; first = false) {
			if (this.took("}")) return members;
			if (!first) this.take(",");
			this.skip();
			const name = this.string();
			this.take(":");
			const value = this.value(depth + 1);
			// A member called __proto__ must be a member.
			Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
		}
	}

	private array(depth: number): Json {
		const list: Json[] = [];
		this.at++;
		for (let first = true; ; first = false) {
			if (this.took("]")) return list;
			if (!first) this.take(",");
			list.push(this.value(depth + 1));
		}
	}

	private string(): string {
		const from = this.at;
		if (this.text[from] !== '"') throw this.wrong();
		let to = this.text.indexOf('"', from + 1);
		while (to > 0 && this.escaped(from, to)) to = this.text.indexOf('"', to + 1);
		if (to < 0) throw this.wrong();
		this.at = to + 1;
		return JSON.parse(this.text.slice(from, this.at)) as string;
	}

	/** Whether the quote at to has an odd number of backslashes before it. */
	private escaped(from: number, to: number): boolean {
		let n = 0;
		while (to - 1 - n > from && this.text[to - 1 - n] === "\\") n++;
		return n % 2 === 1;
	}

	private skip(): void {
		blank.lastIndex = this.at;
		blank.test(this.text);
		this.at = blank.lastIndex;
	}

	private took(c: string): boolean {
		this.skip();
		if (this.text[this.at] !== c) return false;
		this.at++;
		return true;
	}

	private take(c: string): void {
		if (!this.took(c)) throw this.wrong();
	}

	private wrong(): SyntaxError {
		return new SyntaxError(`this is no JSON at ${this.at}`);
	}
}

/** Whether value is an object with members. */
export function isObject(value: Json | undefined): value is { [name: string]: Json } {
	return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Digits);
}

/** One line of JSON with the digits kept. */
export function compact(value: Json): string {
	if (value instanceof Digits) {
		return value.text;
	}
	if (Array.isArray(value)) {
		return `[${value.map(compact).join(",")}]`;
	}
	if (isObject(value)) {
		return `{${Object.entries(value)
			.map(([name, v]) => `${JSON.stringify(name)}:${compact(v)}`)
			.join(",")}}`;
	}
	return JSON.stringify(value);
}

/** JSON over several lines, indented by two spaces, with the digits kept. */
export function pretty(value: Json, indent = ""): string {
	const inner = `${indent}  `;
	if (Array.isArray(value) && value.length > 0) {
		return `[\n${value.map((v) => inner + pretty(v, inner)).join(",\n")}\n${indent}]`;
	}
	if (isObject(value) && Object.keys(value).length > 0) {
		const lines = Object.entries(value).map(([name, v]) => `${inner}${JSON.stringify(name)}: ${pretty(v, inner)}`);
		return `{\n${lines.join(",\n")}\n${indent}}`;
	}
	return compact(value);
}
