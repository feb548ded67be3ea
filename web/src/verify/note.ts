import { concat, fromBase64, hex, same, sha256, utf8 } from "./bytes";
import { signatureHolds } from "./ed25519";
import { malformed, unsupported } from "./finding";
import { decimal } from "./read";
import type { Hash } from "./tree";

/** Types of keys: of a log or an anchor log; of a clock, whose signatures hold a time. */
export const LOG_KEY = 1;
export const CLOCK_KEY = 4;

/** A verifier key, written name+hash+key. */
export interface Key {
	vkey: string;
	name: string;
	type: number;
	hash: Uint8Array;
	public: Uint8Array<ArrayBuffer>;
}

/** Reads a vkey of this type; only its canonical spelling is one. */
export function readKey(vkey: string, type: number): Key {
	const [name = "", hash = "", ...rest] = vkey.split("+");
	const raw = fromBase64(rest.join("+"));
	if (name === "" || /\s/.test(vkey) || !raw || raw.length === 0) throw malformed(`${JSON.stringify(vkey)} is not a vkey`);
	if (raw[0] !== type) throw unsupported(`the vkey ${JSON.stringify(vkey)} is of a type that this version does not know here`);
	const id = sha256(utf8(`${name}\n`), raw).slice(0, 4);
	if (raw.length !== 33 || hex(id) !== hash) throw malformed(`the hash of the vkey ${JSON.stringify(vkey)} is not that of its key`);
	return { vkey, name, type, hash: id, public: raw.slice(1) };
}

interface Signature {
	name: string;
	hash: Uint8Array;
	data: Uint8Array<ArrayBuffer>;
}

/** A checkpoint: a C2SP signed note of exactly three lines. Nothing in it is proved before a trusted key has signed it. */
export interface Note {
	text: string;
	origin: string;
	size: number;
	root: Hash;
	body: Uint8Array<ArrayBuffer>;
	signatures: Signature[];
}

const MAX_NOTE = 1_000_000;

/** Reads a checkpoint. One without signatures is accepted only where a reader wrote it down: then signed is false. */
export function readNote(text: string, signed = true): Note {
	let cut = text.lastIndexOf("\n\n");
	if (cut < 0 && !signed) {
		cut = text.length - 1;
	}
	if (cut < 0 || !text.endsWith("\n") || text.length > MAX_NOTE || /[\x00-\x09\x0b-\x1f]/.test(text)) throw malformed("a note is not one");
	const head = text.slice(0, cut + 1);
	const lines = head.split("\n").slice(0, -1);
	if (lines.length > 3) throw unsupported("a checkpoint has extension lines");
	const [origin = "", sizeText = "", rootText = ""] = lines;
	const size = decimal(sizeText);
	const root = fromBase64(rootText, 32);
	if (lines.length < 3 || origin === "" || size === undefined || !root) throw malformed("a checkpoint has not three lines of origin, size and root");
	const signatures: Signature[] = [];
	for (const line of text
		.slice(cut + 2)
		.split("\n")
		.slice(0, -1)) {
		const m = /^— ([^\s+]+) (\S+)$/.exec(line);
		const data = m ? fromBase64(m[2] as string) : undefined;
		if (!m || !data || data.length < 5) throw malformed("a signature line of a note is not one");
		signatures.push({ name: m[1] as string, hash: data.slice(0, 4), data: data.slice(4) });
	}
	if ((signatures.length === 0 && signed) || signatures.length > 100) throw malformed("a note has 1 to 100 signatures");
	return { text, origin, size, root, body: utf8(head), signatures };
}

/** The largest time of a cosignature in seconds: microseconds of it fit 63 bits. */
const MAX_TIME = 2 ** 42;

/** What one key says about a note: nothing, something false, or that it signed, and when if it is a clock. */
export type Said = { signed: false } | { signed: "wrong" } | { signed: true; seconds: number };

export async function saidBy(note: Note, key: Key): Promise<Said> {
	let said: Said = { signed: false };
	for (const s of note.signatures) {
		if (s.name !== key.name || !same(s.hash, key.hash)) continue;
		const seconds = await check(note, key, s);
		if (seconds === undefined) return { signed: "wrong" };
		if (!said.signed) said = { signed: true, seconds };
	}
	return said;
}

async function check(note: Note, key: Key, s: Signature): Promise<number | undefined> {
	if (key.type === LOG_KEY) return (await signatureHolds(key.public, note.body, s.data)) ? 0 : undefined;
	if (s.data.length !== 8 + 64) return undefined;
	const seconds = new DataView(s.data.buffer, s.data.byteOffset).getBigUint64(0);
	if (seconds > BigInt(MAX_TIME)) return undefined;
	const message = concat(utf8(`cosignature/v1\ntime ${seconds}\n`), note.body);
	return (await signatureHolds(key.public, message, s.data.slice(8))) ? Number(seconds) : undefined;
}
