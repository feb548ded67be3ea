import type { Json } from "../json/read";
import { concat, sha256, uint, utf8 } from "./bytes";
import { malformed } from "./finding";
import { type Field, openFields, openPayload, payloadRoot } from "./payload";
import { base64, integer, MAX_INT, members, text } from "./read";

export const LEAF_SIZE = 70;
const MAGIC = utf8("DAYB\x01");
const LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";

/** The 16 bytes of an id written as prefix, "_" and 26 characters, or undefined. */
export function readTypeID(id: string, prefix = "evt"): Uint8Array | undefined {
	const letters = id.slice(prefix.length + 1);
	if (!id.startsWith(`${prefix}_`) || letters.length !== 26 || (letters[0] as string) > "7") return undefined;
	let n = 0n;
	for (const c of letters) {
		const value = LETTERS.indexOf(c);
		if (value < 0) return undefined;
		n = (n << 5n) | BigInt(value);
	}
	const out = new Uint8Array(16);
	for (let i = 15; i >= 0; i--) {
		out[i] = Number(n & 255n);
		n >>= 8n;
	}
	return out;
}

/** Microseconds since 1970 of 2006-01-02T15:04:05.000000Z, or undefined: no other spelling is accepted. */
export function readTime(value: string): bigint | undefined {
	const m = /^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\.([0-9]{6})Z$/.exec(value);
	if (!m) return undefined;
	const ms = Date.parse(`${m[1]}Z`);
	if (Number.isNaN(ms) || new Date(ms).toISOString() !== `${m[1]}.000Z`) return undefined;
	return BigInt(ms) * 1000n + BigInt(m[2] as string);
}

export interface Leaf {
	kind: number;
	seq: number;
	/** µs since 1970. */
	receivedAt: bigint;
	id: Uint8Array;
	root: Uint8Array;
}

export function leafBytes(l: Leaf): Uint8Array<ArrayBuffer> {
	const when = new Uint8Array(8);
	new DataView(when.buffer).setBigInt64(0, l.receivedAt);
	return concat(MAGIC, Uint8Array.of(l.kind), uint(l.seq, 8), when, l.id, l.root);
}

export function leafHash(bytes: Uint8Array): Uint8Array {
	return sha256(Uint8Array.of(0), bytes);
}

/** Reads the 70 bytes of a leaf. */
export function readLeaf(b: Uint8Array): Leaf {
	const view = new DataView(b.buffer, b.byteOffset, b.length);
	if (b.length !== LEAF_SIZE || MAGIC.some((x, i) => b[i] !== x) || (b[5] as number) > 1) throw malformed("70 bytes are not a leaf");
	const seq = view.getBigUint64(6);
	if (seq >= BigInt(MAX_INT)) throw malformed("70 bytes are not a leaf");
	return { kind: b[5] as number, seq: Number(seq), receivedAt: view.getBigInt64(14), id: b.slice(22, 38), root: b.slice(38) };
}

/** An entry as evidence shows it: what it holds, and the hash that it gives. */
export interface Entry {
	leaf: Leaf;
	id: string;
	/** The leaf hash that the evidence states; hash is the one that the content gives. */
	stated: Uint8Array;
	hash: Uint8Array;
	fields: (Field | undefined)[];
	withheld: number[];
}

const ENTRY = ["seq", "kind", "id", "received_at", "leaf_hash"];

/** Reads an ENTRY of docs/reference/integrity.md and computes its leaf. Whether the two hashes agree is for the caller to say. */
export function readEntry(m: Json | undefined, extra: readonly string[] = []): Entry {
	const form = m instanceof Map && m.has("fields") ? ["fields"] : ["secret", "payload"];
	const e = members(m, [...ENTRY, ...form, ...extra]);
	const seq = integer(e.get("seq"), MAX_INT - 1);
	const kind = integer(e.get("kind"), 1);
	const id = text(e.get("id"));
	const uuid = readTypeID(id);
	const receivedAt = readTime(text(e.get("received_at")));
	if (!uuid || receivedAt === undefined) throw malformed("an entry's id or time is not one");
	const stated = base64(e.get("leaf_hash"), 32);
	const opened = e.has("fields") ? openFields(e.get("fields")) : openPayload(e.get("payload"), base64(e.get("secret"), 16));
	const leaf = { kind, seq, receivedAt, id: uuid, root: payloadRoot(opened.commitments) };
	const withheld: number[] = [];
	for (const [i, f] of opened.fields.entries()) if (!f) withheld.push(i);
	return { leaf, id, stated, hash: leafHash(leafBytes(leaf)), fields: opened.fields, withheld };
}

/** Whether the payload carries an id that is not the entry's. */
export function foreignID(e: Entry): boolean {
	return e.fields.some((f) => f && ((f.path === "/id" && (f.type !== "s" || f.value !== e.id)) || f.path.startsWith("/id/")));
}

/** The string at a path of what is shown. */
export function says(e: Entry, path: string): string | undefined {
	return e.fields.find((f) => f?.path === path && (f.type === "s" || f.type === "n"))?.value;
}
