import { fromBase64 } from "./bytes";
import { Bad, type Finding, malformed, unsupported } from "./finding";
import { type Leaf, leafHash, readLeaf } from "./leaf";
import { LOG_KEY, type Note, readKey, readNote, saidBy } from "./note";
import { decimal } from "./read";
import { type Hash, included } from "./tree";

/** A C2SP tlog-proof of one entry: what the file of an event's proof holds. */
export interface Proof {
	leaf: Leaf;
	hash: Hash;
	index: number;
	path: Hash[];
	note: Note;
}

export function readProof(text: string): Proof {
	const cut = text.indexOf("\n\n");
	const lines = text.slice(0, Math.max(cut, 0)).split("\n");
	if (lines[0] !== "c2sp.org/tlog-proof@v1") throw unsupported("the file does not begin as a proof does");
	const raw = lines[1]?.startsWith("extra ") ? fromBase64(lines[1].slice("extra ".length), 70) : undefined;
	const index = lines[2]?.startsWith("index ") ? decimal(lines[2].slice("index ".length)) : undefined;
	const path = lines.slice(3).map((h) => fromBase64(h, 32));
	if (!raw || index === undefined || path.length > 63 || path.includes(undefined)) throw malformed("the proof is cut off, or damaged");
	return { leaf: readLeaf(raw), hash: leafHash(raw), index, path: path as Hash[], note: readNote(text.slice(cut + 2)) };
}

/** What is wrong with a proof by itself, for a reader who has pinned these keys. Nothing: its leaf is in the log. */
export async function verifyProof(p: Proof, pins: readonly string[]): Promise<Finding[]> {
	const found: Finding[] = [];
	if (p.leaf.seq !== p.index) found.push({ code: "position_mismatch", message: `the leaf of entry ${p.leaf.seq} stands at ${p.index}`, seq: p.index });
	if (!included(p.hash, p.index, p.note.size, p.path, p.note.root)) {
		found.push({ code: "proof_invalid", message: "the leaf is not in the tree of the checkpoint", seq: p.index });
	}
	found.push(...(await trust(p.note, pins)));
	return found;
}

/** What is wrong with the signatures of a checkpoint, for a reader who has pinned these keys of its log. */
export async function trust(note: Note, pins: readonly string[]): Promise<Finding[]> {
	if (pins.length === 0) return [{ code: "key_not_pinned", message: "no key of this log is pinned" }];
	let found: Finding = { code: "key_unknown", message: `no pinned key has signed the checkpoint of ${note.origin}` };
	for (const vkey of pins) {
		const key = readKey(vkey, LOG_KEY);
		const said = await saidBy(note, key);
		if (said.signed === "wrong") return [{ code: "signature_invalid", message: `the signature by ${key.name} does not hold` }];
		if (said.signed && key.name === note.origin) return [];
		if (said.signed) found = { code: "epoch_changed", message: `the pinned key of ${key.name} signed, but this is the log ${note.origin}` };
	}
	return [found];
}

/** Whether an error says what is wrong with evidence, as a finding. */
export function asFinding(e: unknown, seq?: number): Finding {
	if (!(e instanceof Bad)) throw e;
	return seq === undefined ? { code: e.code, message: e.message } : { code: e.code, message: e.message, seq };
}
