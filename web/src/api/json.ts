// JSON as the pages hold it: plain objects, and numbers whose digits JavaScript would lose as Num. The reader is ../json/read.
import { Num, readInto, type Json as Wire, writeJSON } from "../json/read";

export { Num };

/** Any JSON value. */
export type Json = string | number | boolean | null | Num | Json[] | { [name: string]: Json };

type Members = { [name: string]: Json };

/** A number whose text JavaScript would write otherwise stays a Num. */
function numberOf(text: string): number | Num {
	const n = Number(text);
	return String(n) === text ? n : new Num(text);
}

/** A member called __proto__ must be a member. */
function put(members: Members, name: string, value: Json): void {
	if (name === "__proto__") Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
	else members[name] = value;
}

/** Parses text. Throws Fault. */
export function parseJSON(text: string): Json {
	return readInto<Json, Members>(text, { number: numberOf, object: () => ({}), has: Object.hasOwn, set: put });
}

/** A value of a page as the reader would have given it. */
export function wire(value: unknown): Wire {
	if (typeof value === "number") return new Num(String(value));
	if (Array.isArray(value)) return value.map(wire);
	if (value instanceof Num || value === null || typeof value === "string" || typeof value === "boolean") return value;
	if (typeof value === "object") {
		return new Map(
			Object.entries(value)
				.filter(([, v]) => v !== undefined)
				.map(([name, v]) => [name, wire(v)]),
		);
	}
	return null;
}

/** Whether value is an object with members. */
export function isObject(value: unknown): value is { [name: string]: Json } {
	return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Num);
}

/** One line of JSON with the digits kept. */
export function compact(value: Json): string {
	return writeJSON(wire(value));
}

/** JSON over several lines, indented by two spaces, with the digits kept. */
export function pretty(value: Json, indent = ""): string {
	const inner = `${indent}  `;
	if (Array.isArray(value) && value.length > 0) return `[\n${value.map((v) => inner + pretty(v, inner)).join(",\n")}\n${indent}]`;
	if (isObject(value) && Object.keys(value).length > 0) {
		const lines = Object.entries(value).map(([name, v]) => `${inner}${JSON.stringify(name)}: ${pretty(v, inner)}`);
		return `{\n${lines.join(",\n")}\n${indent}}`;
	}
	return compact(value);
}
