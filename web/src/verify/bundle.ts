import { decodeUTF8, Fault, type Json, type Obj, readJSON } from "../json/read";
import { concat, same, sha256, toBase64, uint, utf8 } from "./bytes";
import { Digest } from "./digest";
import { Bad, type Code, exitOf, type Finding, malformed, unsupported } from "./finding";
import { type Entry, foreignID, leafHash, readEntry, readLeaf, says } from "./leaf";
import { CLOCK_KEY, type Key, LOG_KEY, type Note, readKey, readNote, saidBy } from "./note";
import { base64, hashes, integer, MAX_INT, members, text } from "./read";
import { Removals } from "./removals";
import { consistent, type Hash, included, Range, subtrees } from "./tree";

/** What the reader trusts and remembers. */
export interface Options {
	/** vkeys that are pinned. */
	pins: readonly string[];
	/** A checkpoint that is remembered, and must be the beginning of this log. */
	since?: Note;
	anchorKey?: string;
	/** Seconds that clocks may differ; 300 without it. */
	maxSkew?: number;
	/** Is told how many entries were looked at. */
	progress?: (done: number, total: number) => void;
	/** Is given every entry that is shown, before anything is proved of it. */
	onEntry?: (e: Entry) => void;
	signal?: AbortSignal;
}

export interface Report {
	exit: 0 | 6 | 7;
	findings: Finding[];
	origin: string;
	vkey: string;
	size: number;
	from: number;
	to: number;
	note?: Note;
	/** By the log's own clock, in seconds since 1970. */
	signedAt?: number;
	shown: number;
	/** Whether the log was held against a remembered checkpoint. */
	linked: boolean;
	masked: boolean;
	filtered: boolean;
	removed: { pruned: number; erased: number; fields: number };
}

const RANK: Record<string, number> = {
	header: 0,
	checkpoint: 1,
	rotation: 2,
	consistency: 3,
	range_proof: 4,
	control: 5,
	entry: 6,
	leaf: 6,
	hashes: 6,
	anchor: 7,
	footer: 8,
};
const ONCE = ["header", "checkpoint", "range_proof", "footer"];
const MAX_LINE = 2 << 20;
const MAX_FINDINGS = 1000;

/**
 * Verifies an evidence bundle: docs/reference/integrity.md says what it is. It is the check of daybook verify; no mutation of
 * testdata/vectors that Go refuses is proved here.
 */
export async function verifyBundle(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options: Options): Promise<Report> {
	const b = new Bundle(options);
	try {
		await b.read(chunks);
	} catch (e) {
		if (!(e instanceof Bad)) throw e;
		b.find(e.code, e.message);
	}
	return b.report();
}

/** Cuts bytes into lines with their newline. A last line without one is cut off. */
async function* lines(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
	let rest = new Uint8Array(0);
	for await (const chunk of chunks) {
		let from = 0;
		for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
			const line = chunk.subarray(from, end + 1);
			yield rest.length > 0 ? concat(rest, line) : line;
			rest = new Uint8Array(0);
			from = end + 1;
		}
		rest = concat(rest, chunk.subarray(from));
		if (rest.length > MAX_LINE) throw malformed("a line has more than 2 MiB");
	}
	if (rest.length > 0) throw new Bad("truncated", "the file ends within a line", true);
}

/** Lets the page paint and answer. */
function pause(): Promise<void> {
	return new Promise((done) => setTimeout(done));
}

class Bundle {
	private readonly findings: Finding[] = [];
	private line = 0;
	private last = "";
	private readonly seen = new Set<string>();
	private readonly digest = new Digest();

	private origin = "";
	private key!: Key;
	private clock?: Key | undefined;
	private anchor?: Key | undefined;
	private readonly pins: Key[];
	private readonly anchorKey?: Key | undefined;
	private readonly keys: Key[];
	private from = 0;
	private to = 0;
	private size = 0;
	private masked = false;
	private filtered = false;

	private note?: Note;
	private root!: Hash;
	private clockTime?: number | undefined;
	private signed = new Map<string, number>();
	private readonly chain: Key[] = [];
	private awaited?: string | undefined;
	private readonly roots = new Map<number, Hash>();
	/** Entries below size are not later; those from it on not earlier. */
	private readonly upper: { size: number; time: bigint }[] = [];
	private readonly lower: { size: number; time: bigint }[] = [];

	/** Undefined: the lines do not give a tree any more. */
	private tree?: Range | undefined;
	private next = 0;
	private readonly times: { seq: number; time: bigint }[] = [];
	private readonly elsewhere = new Map<number, bigint>();
	private readonly removals = new Removals();
	private lastControl = -1;
	private shown = 0;
	private readonly anchored = new Set<string>();
	private ended = false;

	constructor(private readonly o: Options) {
		this.pins = o.pins.map((v) => readKey(v, LOG_KEY));
		this.anchorKey = o.anchorKey === undefined ? undefined : readKey(o.anchorKey, LOG_KEY);
		this.keys = [...this.pins, ...(this.anchorKey ? [this.anchorKey] : [])];
	}

	find(code: Code, message: string, seq?: number, want?: Hash, got?: Hash): void {
		if (this.findings.length >= MAX_FINDINGS) return;
		const f: Finding = { code, message };
		if (this.line > 0) f.line = this.line;
		if (seq !== undefined) f.seq = seq;
		if (want && got) {
			f.want = toBase64(want);
			f.got = toBase64(got);
		}
		this.findings.push(f);
	}

	report(): Report {
		const r: Report = {
			exit: exitOf(this.findings),
			findings: this.findings,
			origin: this.origin,
			vkey: this.key?.vkey ?? "",
			size: this.size,
			from: this.from,
			to: this.to,
			shown: this.shown,
			linked: this.o.since !== undefined,
			masked: this.masked,
			filtered: this.filtered,
			removed: this.removals.counts(),
		};
		if (this.note) r.note = this.note;
		if (this.clockTime !== undefined) r.signedAt = this.clockTime;
		// Whoever stopped before the end has proved nothing.
		if (!this.ended && r.exit === 0) r.exit = 7;
		return r;
	}

	async read(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
		for await (const raw of lines(chunks)) {
			this.o.signal?.throwIfAborted();
			this.line++;
			if (this.last === "footer") throw malformed("there is something after the footer");
			if (raw.length > MAX_LINE) throw malformed("a line has more than 2 MiB");
			await this.take(readLine(raw.subarray(0, -1)));
			this.digest.add(raw);
			if (this.line % 200 === 0) await pause();
		}
		if (this.last !== "footer") throw new Bad("truncated", "the footer is missing", true);
		this.line = 0;
		this.checkRange();
		this.checkTimes();
		for (const f of this.removals.judge(this.masked, this.filtered)) this.find(f.code, f.message, f.seq);
		await this.checkMemory();
		this.checkTrust();
		this.ended = true;
	}

	private async take(m: Json): Promise<void> {
		if (!(m instanceof Map)) throw malformed("a line is no object");
		const kind = m.get("t");
		if (typeof kind !== "string") throw malformed("a line has no type");
		const rank = Object.hasOwn(RANK, kind) ? RANK[kind] : undefined;
		if (rank === undefined) throw unsupported(`this version does not know lines of the type ${JSON.stringify(kind)}`);
		const early = ONCE.some((k) => (RANK[k] as number) < rank && !this.seen.has(k));
		if (early || this.seen.has(kind) || rank < (RANK[this.last] ?? 0)) throw malformed(`a line of the type ${kind} cannot stand here`);
		this.last = kind;
		if (ONCE.includes(kind)) this.seen.add(kind);
		await this.byKind(kind, m);
	}

	private byKind(kind: string, m: Obj): Promise<void> | void {
		switch (kind) {
			case "header":
				return this.header(m);
			case "checkpoint":
				return this.checkpoint(m);
			case "rotation":
				return this.rotation(m);
			case "consistency":
				return this.consistency(m);
			case "range_proof":
				return this.rangeProof(m);
			case "control":
				return this.control(m);
			case "entry":
				return this.entryLine(m);
			case "leaf":
				return this.leafLine(m);
			case "hashes":
				return this.hashesLine(m);
			case "anchor":
				return this.anchorLine(m);
		}
		return this.footer(m);
	}

	// The head.

	private header(m: Obj): void {
		if (text(m.get("format")) !== "daybook-bundle/v1") throw unsupported(`the format ${JSON.stringify(m.get("format"))} is not known to this version`);
		members(m, ["t", "format", "origin", "vkey", "from", "to", "size"], ["clock_vkey", "anchor_vkey", "filter", "mask", "info"]);
		this.origin = text(m.get("origin"));
		this.key = readKey(text(m.get("vkey")), LOG_KEY);
		this.clock = m.has("clock_vkey") ? readKey(text(m.get("clock_vkey")), CLOCK_KEY) : undefined;
		this.anchor = m.has("anchor_vkey") ? readKey(text(m.get("anchor_vkey")), LOG_KEY) : undefined;
		this.from = integer(m.get("from"));
		this.to = integer(m.get("to"));
		this.size = integer(m.get("size"));
		this.filtered = m.has("filter");
		if (this.filtered) text(m.get("filter"));
		const mask = m.get("mask");
		this.masked = mask !== undefined;
		if (mask !== undefined && !Array.isArray(mask)) throw malformed("mask is no list");
		for (const prefix of mask ?? []) text(prefix);
		if (m.has("info") && !(m.get("info") instanceof Map)) throw malformed("info is no object");
		if (this.key.name !== this.origin || !(this.from < this.to && this.to <= this.size)) {
			throw new Bad("header_mismatch", "origin, vkey, from, to and size of the header disagree");
		}
		for (const k of [this.key, this.clock, this.anchor]) if (k) this.keys.push(k);
	}

	/** The keys that signed a note, with the time if it was a clock. A wrong signature is a finding. */
	private async signers(note: Note, keys: readonly Key[]): Promise<Map<string, number>> {
		const found = new Map<string, number>();
		for (const key of keys) {
			if (found.has(key.vkey)) continue;
			const said = await saidBy(note, key);
			if (said.signed === "wrong") this.find("signature_invalid", `the signature by ${key.name} does not hold`);
			else if (said.signed) found.set(key.vkey, said.seconds);
		}
		return found;
	}

	private async checkpoint(m: Obj): Promise<void> {
		const note = readNote(text(members(m, ["t", "note"]).get("note")));
		this.note = note;
		this.signed = await this.signers(note, this.keys);
		for (const k of [this.key, this.clock]) if (k && !this.signed.has(k.vkey)) this.find("signature_invalid", `${k.name} did not sign the checkpoint`);
		if (note.origin !== this.origin || note.size !== this.size) throw new Bad("header_mismatch", "the checkpoint is of another log or size");
		this.root = note.root;
		this.roots.set(this.size, this.root);
		this.clockTime = this.clock && this.signed.get(this.clock.vkey);
		this.bound(this.size, this.signed);
	}

	/** By the log's own clock: entries below size are not later than a checkpoint of it, the others not earlier. */
	private bound(size: number, signed: Map<string, number>): void {
		const seconds = this.clock && signed.get(this.clock.vkey);
		if (seconds === undefined) return;
		this.upper.push({ size, time: BigInt(seconds) * 1_000_000n });
		this.lower.push({ size, time: BigInt(seconds - (this.o.maxSkew ?? 300)) * 1_000_000n });
	}

	/** The checkpoint must extend a tree of this size and root. */
	private extends(size: number, root: Hash, proof: readonly Hash[]): void {
		if (!consistent(size, root, this.size, this.root, proof)) throw new Bad("proof_invalid", `the checkpoint does not extend the tree of size ${size}`);
		const known = this.roots.get(size);
		if (known && !same(known, root)) throw new Bad("fork", `two roots for size ${size}`);
		this.roots.set(size, root);
	}

	private async rotation(m: Obj): Promise<void> {
		members(m, ["t", "vkey", "note", "entry", "proof", "consistency"]);
		const key = readKey(text(m.get("vkey")), LOG_KEY);
		const note = readNote(text(m.get("note")));
		this.keys.push(key);
		for (const [vkey, seconds] of await this.signers(this.note as Note, [key])) this.signed.set(vkey, seconds);
		if (key.name !== this.origin || note.origin !== this.origin || note.size > this.size)
			throw new Bad("header_mismatch", "a rotation is of another log or a larger tree");
		const signed = await this.signers(note, this.keys);
		if (!signed.has(key.vkey)) throw new Bad("signature_invalid", "the older key did not sign the checkpoint of its rotation");
		const e = this.checked(readEntry(m.get("entry")));
		if (e.leaf.kind !== 1 || says(e, "/op") !== "key" || says(e, "/state") !== "added" || (this.awaited !== undefined && this.awaited !== key.vkey)) {
			throw new Bad("proof_invalid", "a rotation has no key entry, or is not the next one");
		}
		if (!included(e.hash, e.leaf.seq, note.size, hashes(m.get("proof")), note.root)) {
			throw new Bad("proof_invalid", "the key entry is not in the tree that the older key signed");
		}
		this.extends(note.size, note.root, hashes(m.get("consistency")));
		this.bound(note.size, signed);
		this.elsewhere.set(e.leaf.seq, e.leaf.receivedAt);
		this.chain.push(key);
		this.awaited = says(e, "/vkey");
	}

	private async consistency(m: Obj): Promise<void> {
		members(m, ["t", "note", "proof"]);
		const note = readNote(text(m.get("note")));
		if (note.origin !== this.origin || note.size > this.size) throw new Bad("header_mismatch", "a remembered checkpoint is of another log or a larger tree");
		const signed = await this.signers(note, this.keys);
		const byLog = this.keys.some((k) => k.name === this.origin && signed.has(k.vkey));
		if (byLog && note.size === this.size && !same(note.root, this.root)) throw new Bad("fork", `two signed roots for size ${note.size}`);
		this.extends(note.size, note.root, hashes(m.get("proof")));
		if (byLog) this.bound(note.size, signed);
	}

	private right: Hash[] = [];

	private rangeProof(m: Obj): void {
		members(m, ["t", "left", "right"]);
		this.right = hashes(m.get("right"));
		this.next = this.from;
		this.tree = Range.of(this.from, this.to, this.size, hashes(m.get("left")), this.right);
		if (!this.tree) this.find("root_mismatch", `the range proof has a hash too many or too few for ${subtrees(this.to, this.size).length} at its right`);
	}

	// Entries.

	/** Compares what an entry shows with the hash that it states. */
	private checked(e: Entry): Entry {
		const seq = e.leaf.seq;
		if (!same(e.hash, e.stated)) this.find("leaf_mismatch", `what entry ${seq} shows does not give its leaf hash: it was changed`, seq, e.stated, e.hash);
		if (foreignID(e)) this.find("id_mismatch", `the id in the payload of entry ${seq} is not its own`, seq);
		return e;
	}

	private keep(e: Entry): void {
		this.removals.show(e);
		if (e.leaf.kind !== 1) return;
		try {
			this.removals.act(e);
		} catch (err) {
			if (!(err instanceof Bad)) throw err;
			this.find(err.code, err.message, e.leaf.seq);
		}
	}

	private control(m: Obj): void {
		if (!m.has("proof")) throw malformed("a control line has no proof");
		const e = this.checked(readEntry(m, ["t", "proof"]));
		const seq = e.leaf.seq;
		if (e.leaf.kind !== 1) throw malformed(`entry ${seq} is no control entry`);
		if ((seq >= this.from && seq < this.to) || seq <= this.lastControl) throw new Bad("position_mismatch", `the control entry ${seq} does not stand here`);
		this.lastControl = seq;
		if (!included(e.stated, seq, this.size, hashes(m.get("proof")), this.root)) this.find("proof_invalid", `the control entry ${seq} is not in the tree`, seq);
		this.elsewhere.set(seq, e.leaf.receivedAt);
		this.keep(e);
	}

	/** Puts leaf hashes at seq, which must be the next. After a gap there is no root: it is reported once, where it begins. */
	private place(seq: number, leaves: readonly Hash[]): boolean {
		const fits = seq === this.next && leaves.length <= this.to - seq;
		if (!fits) {
			this.find("position_mismatch", `entry ${seq} stands where entry ${this.next} belongs`, seq);
			this.tree = undefined;
			if (seq < this.next || leaves.length > this.to - seq) return false;
		}
		this.next = seq + leaves.length;
		for (const h of leaves) this.tree?.append(h);
		return true;
	}

	private entryLine(m: Obj): void {
		const e = this.checked(readEntry(m, ["t"]));
		if (!this.place(e.leaf.seq, [e.stated])) return;
		this.shown++;
		this.o.onEntry?.(e);
		this.times.push({ seq: e.leaf.seq, time: e.leaf.receivedAt });
		this.keep(e);
		if (this.shown % 256 === 0) this.o.progress?.(e.leaf.seq + 1 - this.from, this.to - this.from);
	}

	private leafLine(m: Obj): void {
		members(m, ["t", "seq", "leaf"]);
		const seq = integer(m.get("seq"), MAX_INT - 1);
		const bytes = base64(m.get("leaf"), 70);
		const l = readLeaf(bytes);
		if (l.seq !== seq) this.find("position_mismatch", `the leaf of entry ${l.seq} stands at ${seq}`, seq);
		if (l.kind === 1) this.find("control_withheld", `the control entry ${seq} is withheld`, seq);
		if (!this.place(seq, [leafHash(bytes)])) return;
		this.times.push({ seq, time: l.receivedAt });
		this.removals.bodyGone(seq);
	}

	private hashesLine(m: Obj): void {
		members(m, ["t", "seq", "count", "hashes"]);
		const seq = integer(m.get("seq"), MAX_INT - 1);
		const count = integer(m.get("count"));
		if (count < 1 || count > MAX_LINE) throw malformed("a line of hashes has none, or too many");
		const all = base64(m.get("hashes"), 32 * count);
		const leaves = Array.from({ length: count }, (_, i) => all.subarray(32 * i, 32 * i + 32));
		if (this.place(seq, leaves)) this.removals.leafGone(seq, seq + count - 1);
	}

	// Anchors and the end.

	private async anchorLine(m: Obj): Promise<void> {
		members(m, ["t", "size", "root", "consistency", "batch_index", "batch_proof", "leaf", "proof", "note"]);
		const size = integer(m.get("size"));
		const root = base64(m.get("root"), 32);
		const note = readNote(text(m.get("note")));
		const leaf = base64(m.get("leaf"), 65);
		const keys = [this.anchor, this.anchorKey].filter((k) => k !== undefined);
		const signed = new Map([...(await this.signers(note, keys))].filter(([vkey]) => keys.some((k) => k.vkey === vkey && k.name === note.origin)));
		if (this.anchor && !signed.has(this.anchor.vkey)) throw new Bad("signature_invalid", "the anchor key did not sign the anchor log's checkpoint");
		if (size > this.size) throw new Bad("proof_invalid", "an anchor is of a larger tree");
		const view = new DataView(leaf.buffer);
		const magic = utf8("DAYA\x01");
		const index = Number(view.getBigUint64(5));
		const time = view.getBigInt64(13);
		if (magic.some((x, i) => leaf[i] !== x) || index >= MAX_INT || (index === 0 && view.getBigUint64(57) !== 0n))
			throw malformed("65 bytes are not an anchor leaf");
		if (!included(leafHash(leaf), index, note.size, hashes(m.get("proof")), note.root))
			throw new Bad("proof_invalid", "the anchor leaf is not in the anchor log");
		const member = concat(sha256(utf8(this.origin)), uint(size, 8), root);
		const batch = hashes(m.get("batch_proof"));
		if (!included(leafHash(member), integer(m.get("batch_index")), view.getUint32(21), batch, leaf.slice(25, 57))) {
			throw new Bad("proof_invalid", "this log is not in the batch of the anchor");
		}
		this.extends(size, root, hashes(m.get("consistency")));
		if (signed.size === 0) {
			this.find("key_unknown", "the header names no anchor key, and no pinned one signed the anchor");
			return;
		}
		for (const vkey of signed.keys()) this.anchored.add(vkey);
		this.upper.push({ size, time });
	}

	private footer(m: Obj): void {
		members(m, ["t", "lines", "sha256"]);
		const lines = integer(m.get("lines"));
		const sum = base64(m.get("sha256"), 32);
		if (lines !== this.line - 1 || !same(sum, this.digest.sum()))
			this.find("footer_mismatch", "the file is not what the footer counted: it is damaged, or was edited");
	}

	private checkRange(): void {
		if (this.next !== this.to) {
			this.find("position_mismatch", `the entries end before ${this.next}, not before ${this.to}`);
			this.tree = undefined;
		}
		if (this.tree) {
			const root = this.tree.root();
			if (!same(root, this.root)) this.find("root_mismatch", "all leaves together do not give the signed root", undefined, this.root, root);
		} else if (exitOf(this.findings) !== 6) {
			this.find("root_mismatch", "the lines do not give a tree");
		}
	}

	private checkTimes(): void {
		const others = [...this.elsewhere].filter(([seq]) => seq < this.from || seq >= this.to).map(([seq, time]) => ({ seq, time }));
		const all = [...this.times, ...others].sort((a, b) => a.seq - b.seq);
		const late = all.find((t, i) => i > 0 && t.time <= (all[i - 1] as { time: bigint }).time);
		if (late) {
			this.find("time_order", "received_at does not increase", late.seq);
			return;
		}
		for (const { size, time } of this.upper) {
			const below = all.filter((t) => t.seq < size).at(-1); // times increase: one speaks for those before it
			if (below && below.time > time) this.find("time_order", "an entry is later than a checkpoint or anchor that holds it", below.seq);
		}
		for (const { size, time } of this.lower) {
			const above = all.find((t) => t.seq >= size);
			if (above && above.time < time) this.find("time_order", "an entry is earlier than a checkpoint that does not hold it", above.seq);
		}
	}

	private async checkMemory(): Promise<void> {
		const old = this.o.since;
		if (!old) return;
		if (old.origin !== this.origin) {
			this.find("proof_missing", `the remembered checkpoint is of another log, ${old.origin}`);
		} else if (old.size > this.size) {
			const said = this.clock ? await saidBy(old, this.clock) : { signed: false as const };
			if (said.signed === true && this.clockTime !== undefined && this.clockTime > said.seconds) {
				this.find("rollback", `the log is shorter than the remembered one of size ${old.size}, and signed later`);
			} else {
				this.find("proof_missing", `the remembered checkpoint is newer: of size ${old.size}`);
			}
		} else if (old.size > 0) {
			const root = this.roots.get(old.size);
			if (!root) this.find("proof_missing", `nothing leads to the remembered checkpoint of size ${old.size}`);
			else if (!same(root, old.root)) this.find("fork", `two roots for size ${old.size}: keep both checkpoints, they are the proof`, undefined, old.root, root);
		}
	}

	private checkTrust(): void {
		if (this.chain.length > 0 && this.awaited !== this.key.vkey) this.find("proof_invalid", "the rotations do not lead to the key of the header");
		if (this.anchorKey && !this.anchored.has(this.anchorKey.vkey)) this.find("proof_missing", "no anchor by the pinned anchor key");
		if (this.pins.length === 0) {
			this.find("key_not_pinned", "it agrees with itself, but no key is pinned: anybody can have made it");
			return;
		}
		const leads = [this.key, ...this.chain].some((k) => this.pins.some((p) => p.vkey === k.vkey));
		const signers = this.pins.filter((p) => this.signed.has(p.vkey));
		if (leads || signers.some((p) => p.name === this.origin)) return;
		if (signers.length > 0) this.find("epoch_changed", "the pinned key is that of an earlier epoch: get the new one from the operator");
		else this.find("key_unknown", "no pinned key signed the checkpoint, or leads to the one that did");
	}
}

function readLine(raw: Uint8Array): Json {
	try {
		return readJSON(decodeUTF8(raw));
	} catch (e) {
		throw e instanceof Fault ? malformed(`a line is not JSON: ${e.message}`) : e;
	}
}
