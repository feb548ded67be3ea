import { decodeUTF8, Fault, type Json, Num, readJSON } from "../json/read";
import { compare, concat, sha256, uint, utf8, utf8Into } from "./bytes";
import { malformed } from "./finding";
import { base64, members, text } from "./read";

const MAX_PAYLOAD = 256 << 10;
const MAX_COMPONENTS = 32;
const MAX_PATH = 65535;
const MAX_PATHS = 1 << 20;
export const MAX_FIELDS = 1024;

/** s string, n number, t true, f false, z null, o {}, a []. */
export type FieldType = "s" | "n" | "t" | "f" | "z" | "o" | "a";

export interface Field {
	path: string;
	type: FieldType;
	/** Of s and n: the text, or the token of the number. Else empty. */
	value: string;
	/** The path in UTF-8, where it is known already. */
	bytes?: Uint8Array;
}

/** Reads the payload of an event as the server does: the object, or a Fault with the server's word for what is wrong. */
export function readPayload(bytes: Uint8Array): Map<string, Json> {
	if (bytes.length > MAX_PAYLOAD) throw new Fault("too_large", "the JSON text has more than 256 KiB");
	const source = decodeUTF8(bytes);
	if (!/^[ \t\n\r]*\{/.test(source)) {
		readJSON(source); // what is no JSON is told so
		throw new Fault("not_object", "not a JSON object");
	}
	const value = readJSON(source);
	if (!(value instanceof Map)) throw new Fault("not_object", "not a JSON object");
	flatten(value);
	return value;
}

/** The fields of an object in document order, or a Fault when they are too many, too deep or too long. */
export function flatten(object: Json): Field[] {
	const all: Field[] = [];
	let paths = 0;
	let bytes: Uint8Array = new Uint8Array(0);
	const add = (path: string, type: FieldType, value = ""): void => {
		if (all.length === MAX_FIELDS) throw new Fault("too_many_fields", "the event has more than 1,024 fields");
		all.push({ path, type, value, bytes });
	};
	const step = (path: string, value: Json, depth: number): void => {
		if (depth > MAX_COMPONENTS) throw new Fault("too_deep", "a path has more than 32 components");
		bytes = utf8(path);
		paths += bytes.length;
		if (bytes.length > MAX_PATH || paths > MAX_PATHS) throw new Fault("path_too_long", "the paths are too long");
		walk(path, value, depth);
	};
	const walk = (path: string, value: Json, depth: number): void => {
		if (value === null) add(path, "z");
		else if (typeof value === "boolean") add(path, value ? "t" : "f");
		else if (typeof value === "string") add(path, "s", value);
		else if (value instanceof Num) add(path, "n", value.text);
		else if (Array.isArray(value)) {
			if (value.length === 0) add(path, "a");
			for (const [i, v] of value.entries()) step(`${path}/~#${i}`, v, depth + 1);
		} else {
			if (value.size === 0) add(path, "o");
			for (const [name, v] of value) step(`${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, v, depth + 1);
		}
	};
	walk("", object, 0);
	return all;
}

/** Where the messages of commitments are put together: most have one SHA-256 block, and memory would cost more than hashing. */
let room = new Uint8Array(4096);

export function commitment(salt: Uint8Array, f: Field): Uint8Array {
	const path = f.bytes ?? utf8(f.path);
	const most = 1 + 16 + 2 + path.length + 1 + 3 * f.value.length;
	if (most > room.length) room = new Uint8Array(2 * most);
	room[0] = 2;
	room.set(salt, 1);
	room[17] = path.length >> 8;
	room[18] = path.length & 255;
	room.set(path, 19);
	let end = 19 + path.length;
	room[end++] = f.type.charCodeAt(0);
	end += utf8Into(f.value, room, end);
	return sha256(room.subarray(0, end));
}

export function payloadRoot(commitments: readonly Uint8Array[]): Uint8Array {
	return sha256(concat(Uint8Array.of(3), uint(commitments.length, 4), ...commitments));
}

/** The salts of fields 2k and 2k+1 of the entry with this secret. */
function saltPair(secret: Uint8Array, k: number): Uint8Array {
	return sha256(Uint8Array.of(4), secret, uint(k, 2));
}

/** What an entry shows: its fields in the order of their indexes, undefined for one that is withheld, and a commitment to each. */
export interface Opened {
	fields: (Field | undefined)[];
	commitments: Uint8Array[];
}

/** The same of a complete payload. */
export function openPayload(payload: Json | undefined, secret: Uint8Array): Opened {
	if (!(payload instanceof Map)) throw malformed("a payload is not an object");
	let found: Field[];
	try {
		found = flatten(payload);
	} catch (e) {
		throw e instanceof Fault ? malformed(`payload: ${e.message}`) : e;
	}
	const fields = found.sort((a, b) => compare(a.bytes as Uint8Array, b.bytes as Uint8Array));
	let pair = secret;
	const commitments = fields.map((f, i) => {
		if (i % 2 === 0) pair = saltPair(secret, i / 2);
		return commitment(i % 2 === 0 ? pair.subarray(0, 16) : pair.subarray(16), f);
	});
	return { fields, commitments };
}

const number = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

/** The same of a payload that is partly withheld: [{"p","t","v"?,"s"} or {"c"}]. */
export function openFields(listed: Json | undefined): Opened {
	if (!Array.isArray(listed) || listed.length < 1 || listed.length > MAX_FIELDS) throw malformed("a list of fields is missing or too long");
	const out: Opened = { fields: [], commitments: [] };
	for (const one of listed) {
		if (one instanceof Map && one.has("c")) {
			out.fields.push(undefined);
			out.commitments.push(base64(members(one, ["c"]).get("c"), 32));
			continue;
		}
		const m = members(one, ["p", "t", "s"], ["v"]);
		const f = { path: text(m.get("p")), type: text(m.get("t")) as FieldType, value: m.has("v") ? text(m.get("v")) : "" };
		if (!/^[sntfzoa]$/.test(f.type) || m.has("v") !== (f.type === "s" || f.type === "n")) {
			throw malformed("a field has a wrong type, or a value too many or too few");
		}
		if (f.type === "n" && !number.test(f.value)) throw malformed("a number of a field is none");
		if (utf8(f.path).length > MAX_PATH) throw malformed("a path is too long");
		out.fields.push(f);
		out.commitments.push(commitment(base64(m.get("s"), 16), f));
	}
	const shown = out.fields.filter((f) => f !== undefined);
	checkShape(shown, out.fields.length - shown.length);
	return out;
}

/** Throws unless the fields that are shown can come from one object of which so many others are withheld. */
export function checkShape(shown: readonly Field[], withheld: number): void {
	const paths = shown.map((f) => utf8(f.path));
	let total = 0;
	for (const [i, p] of paths.entries()) {
		total += p.length;
		if (i > 0 && compare(paths[i - 1] as Uint8Array, p) >= 0) throw malformed("the fields do not ascend");
	}
	if (total > MAX_PATHS) throw malformed("the paths are too long");
	const at = new Map<string, "object" | "array" | "value">();
	const indexes = new Map<string, Set<number>>();
	const be = (path: string, what: "object" | "array" | "value"): void => {
		if ((at.get(path) ?? what) !== what) throw malformed(`the fields cannot come from one object at ${JSON.stringify(path)}`);
		at.set(path, what);
	};
	for (const f of shown) {
		const parts = f.path.split("/");
		if (parts[0] !== "" || parts.length > MAX_COMPONENTS + 1 || (f.path === "" && (f.type !== "o" || shown.length + withheld > 1))) {
			throw malformed(`the path ${JSON.stringify(f.path)} cannot be`);
		}
		let above = "";
		for (const part of parts.slice(1)) {
			const index = /^~#(0|[1-9][0-9]{0,3})$/.exec(part);
			if (index && above !== "" && Number(index[1]) < MAX_FIELDS) {
				be(above, "array");
				const seen = indexes.get(above) ?? new Set();
				indexes.set(above, seen.add(Number(index[1])));
			} else if (/^([^~]|~[01])*$/s.test(part)) {
				be(above, "object");
			} else {
				throw malformed(`the path ${JSON.stringify(f.path)} cannot be`);
			}
			above += `/${part}`;
		}
		if (at.has(above)) throw malformed(`the fields cannot come from one object at ${JSON.stringify(above)}`);
		at.set(above, "value");
	}
	let gaps = 0;
	for (const seen of indexes.values()) gaps += Math.max(...seen) + 1 - seen.size;
	if (gaps > withheld) throw malformed("an array has gaps");
}
