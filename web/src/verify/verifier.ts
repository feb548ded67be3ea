import { type Json, Num, type Obj, readJSON } from "../json/read";
import { type Report, verifyBundle } from "./bundle";
import { toBase64 } from "./bytes";
import { Bad, type Check, checkOf, exitOf, type Finding, faultOf, isFalse } from "./finding";
import { type Entry, readTime } from "./leaf";
import { type Failure, forgetLog, type Memory, recall, remember, type Store } from "./memory";
import { type Note, readNote } from "./note";
import { trust } from "./proof";
import { unproved } from "./shown";

/** What a log's server says about it; it is held against what was pinned. */
export interface LogInfo {
	origin: string;
	size: number;
	signedSize: number;
	minIndex: number;
	keys: { vkey: string; state: string }[];
	state: string;
	anchorVkey: string;
}

/** How the verifier asks the server. A refusal is an error with a status, if the server gave one. */
export interface Server {
	info(signal?: AbortSignal): Promise<LogInfo>;
	/** The newest checkpoint, which the server signs if there is anything unsigned. */
	checkpoint(signal?: AbortSignal): Promise<string>;
	/** A bundle of the entries [from, to) of at most MAX_EVIDENCE, in the tree of this size, linked to an older one. */
	evidence(ask: { from: number; to: number; size?: number; since?: number }, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export const MAX_EVIDENCE = 1000;

/** Leaves of a run whose hash the store keeps. */
const RUN = 256;

/** How many checkpoints are kept for people; one is enough to find a fork. */
const MAX_SEEN = 10;

/** How one entry stands. */
export type State =
	| "waiting" // not in a checkpoint yet
	| "unchecked" // in a checkpoint, not checked here
	| "verified" // checked here, now
	| "unknown" // cannot be verified; why says so
	| "failed"; // something about it is false

/** What was checked, and how it ended. */
export interface Result {
	state: State;
	findings: Finding[];
	/** Of the checkpoint that it was checked against. */
	origin: string;
	size: number;
	note: string;
	/** By the log's own clock, in seconds since 1970. */
	signedAt?: number;
	vkey: string;
	/** The leaf hash, in base64. */
	leafHash?: string;
	/** Fields of the entry that are erased, or withheld from the reader. */
	withheld?: number;
	checks: Checks;
}

/** The four checks by name. "missing": could not be made. */
export interface Checks {
	leaf: Verdict;
	inclusion: Verdict;
	signature: Verdict;
	consistency: Verdict;
}
export type Verdict = "ok" | "failed" | "missing" | "none";

/** How far verifying a range has come. */
export interface Progress {
	done: number;
	total: number;
}

/** What verifying a range has found. */
export interface RangeResult {
	from: number;
	to: number;
	done: number;
	size: number;
	findings: Finding[];
	state: "verified" | "unknown" | "failed" | "stopped";
	removed: { pruned: number; erased: number; fields: number };
	/** The first entry that is not what it was. */
	seq: number;
	note: string;
}

/**
 * Verifies the log of one organization in this browser. The key is pinned at the first visit and a checkpoint is remembered: from then on
 * the server cannot show another log, or another past of this one, without being found out. Nothing is sent but questions.
 */
export class Verifier {
	memory: Memory | undefined;
	/** True when the key was pinned by this visit. */
	fresh = false;

	constructor(
		private readonly server: Server,
		private readonly org: string,
		private readonly store: Store | undefined,
		private readonly now: () => Date = () => new Date(),
	) {
		this.memory = recall(store, org);
	}

	/** The keys to verify with. At the first visit the current key of the log is pinned. */
	private async pins(signal?: AbortSignal): Promise<string[]> {
		if (!this.memory) {
			const info = await this.server.info(signal);
			const current = info.keys.findLast((k) => k.state !== "retired");
			if (!current) throw new Bad("key_not_pinned", "the server names no key of the log");
			this.fresh = true;
			this.keep({ origin: info.origin, keys: [{ vkey: current.vkey, since: this.now().toISOString() }] });
		}
		return (this.memory as Memory).keys.map((k) => k.vkey);
	}

	private keep(m: Memory): void {
		this.memory = m;
		remember(this.store, this.org, m);
	}

	private remembered(): Note | undefined {
		return this.memory?.note === undefined ? undefined : readNote(this.memory.note);
	}

	/** Accepts the key and the log that the server shows now, after a change that nobody vouched for. What was verified is forgotten. */
	acceptNew(): void {
		forgetLog(this.store, this.org);
		this.memory = undefined;
	}

	/** Holds the newest checkpoint against what is pinned and remembered, without looking at entries. */
	async checkpoint(signal?: AbortSignal): Promise<{ note: Note; findings: Finding[] }> {
		const pins = await this.pins(signal);
		const note = readNote(await this.server.checkpoint(signal));
		const findings = await trust(note, pins);
		const old = this.remembered();
		if (old && old.origin === note.origin && old.size === note.size && toBase64(old.root) !== toBase64(note.root)) {
			findings.push({
				code: "fork",
				message: `two roots for size ${note.size}: keep both checkpoints, they are the proof`,
				want: toBase64(old.root),
				got: toBase64(note.root),
			});
			this.fail(findings, -1, note.text);
		}
		return { note, findings };
	}

	/** Asks for evidence and verifies it. What the server refuses becomes a finding. */
	private async judge(from: number, to: number, size: number | undefined, onEntry: (e: Entry) => void, signal?: AbortSignal): Promise<Report> {
		const pins = await this.pins(signal);
		const old = this.remembered();
		const since = old && old.size > 0 && (size === undefined || old.size <= size) ? old : undefined;
		const ask = { from, to, ...(size === undefined ? {} : { size }), ...(since ? { since: since.size } : {}) };
		let chunks: AsyncIterable<Uint8Array>;
		try {
			chunks = await this.server.evidence(ask, signal);
		} catch (e) {
			if (!since || statusOf(e) !== 404) throw e;
			// The server does not know the remembered checkpoint any more: what it shows instead says whether that is a lie.
			chunks = await this.server.evidence({ from, to, ...(size === undefined ? {} : { size }) }, signal);
		}
		const report = await verifyBundle(chunks, { pins, onEntry, ...(old ? { since: old } : {}), ...(signal ? { signal } : {}) });
		if (report.exit === 0 && (report.from > from || report.to < to)) {
			report.findings.push({ code: "position_mismatch", message: `the evidence is of entries ${report.from} to ${report.to - 1}` });
			report.exit = 6;
		}
		this.learn(report);
		return report;
	}

	/** Keeps what a proved report says: a larger checkpoint, and a key that a pinned one vouched for. */
	private learn(report: Report): void {
		const m = this.memory;
		if (!m || report.exit !== 0 || !report.note) return;
		const old = this.remembered();
		const next: Memory = { ...m };
		if (!m.keys.some((k) => k.vkey === report.vkey)) next.keys = [...m.keys, { vkey: report.vkey, since: this.now().toISOString() }];
		if (!old || report.note.size > old.size) {
			next.note = report.note.text;
			next.seen = [{ size: report.note.size, at: this.now().toISOString(), note: report.note.text }, ...(m.seen ?? [])].slice(0, MAX_SEEN);
		}
		if (next.keys !== m.keys || next.note !== m.note) this.keep(next);
	}

	private fail(findings: Finding[], seq: number, note: string): void {
		const own = findings.filter((f) => isFalse(f.code) && f.code !== "store_damaged"); // the server tells of its own store itself
		const was = this.memory?.failure;
		if (!this.memory || own.length === 0 || (was && sameFinding(was, own[0] as Finding, seq))) return;
		const failure: Failure = { findings: own, seq, note, at: this.now().toISOString() };
		this.keep({ ...this.memory, failure });
	}

	/**
	 * Verifies entries as the API showed them. They are checked in runs of neighbours; the result has one for each, by seq. What cannot be
	 * reached leaves "unknown", never "failed".
	 */
	async entries(shown: readonly Obj[], signal?: AbortSignal): Promise<Map<number, Result>> {
		const bySeq = new Map<number, Obj>();
		for (const e of shown) {
			const seq = e.get("seq");
			if (seq instanceof Num) bySeq.set(Number(seq.text), e);
		}
		const results = new Map<number, Result>();
		for (const [from, to] of runs([...bySeq.keys()])) {
			for (const [seq, r] of await this.run(from, to, bySeq, signal)) if (bySeq.has(seq)) results.set(seq, r);
		}
		return results;
	}

	private async run(from: number, to: number, shown: Map<number, Obj>, signal?: AbortSignal): Promise<Map<number, Result>> {
		const results = new Map<number, Result>();
		const proved = new Map<number, Entry>();
		let report: Report;
		try {
			const size = await this.covering(to, signal);
			report = await this.judge(from, to, size, (e) => proved.set(e.leaf.seq, e), signal);
		} catch (e) {
			if (signal?.aborted) throw e;
			const finding = faultOf(e);
			const state = isFalse(finding.code) ? "failed" : "unknown";
			for (const seq of shown.keys()) results.set(seq, blank(state, [finding]));
			return results;
		}
		for (const [seq, entry] of shown) {
			if (seq < from || seq >= to) continue;
			const found = report.findings.filter((f) => f.seq === undefined || f.seq === seq);
			const e = proved.get(seq);
			const content = compare(entry, seq, e, report);
			if (content) found.push(content);
			const exit = exitOf(found);
			const state = exit === 0 ? "verified" : exit === 6 ? "failed" : "unknown";
			results.set(seq, { ...resultOf(report, state, found), ...(e ? { leafHash: toBase64(e.stated), withheld: e.withheld.length } : {}) });
		}
		const failed = [...results].filter(([, r]) => r.state === "failed");
		if (failed.length > 0) {
			const findings = failed.flatMap(([, r]) => r.findings);
			this.fail(findings, firstBad(findings), report.note?.text ?? "");
		}
		return results;
	}

	/** The size of the remembered checkpoint if it covers the entries: so looking at them makes the server sign nothing. */
	private async covering(to: number, signal?: AbortSignal): Promise<number | undefined> {
		const old = this.remembered();
		if (old && old.size >= to) return old.size;
		const info = await this.server.info(signal);
		return info.signedSize >= to ? info.signedSize : undefined;
	}

	/**
	 * Verifies all entries [from, to) of the tree of this size, a piece after the other. It stops at the first piece that is false, and when
	 * it is aborted.
	 */
	async range(from: number, to: number, size: number, progress: (p: Progress) => void, signal?: AbortSignal): Promise<RangeResult> {
		const r: RangeResult = { from, to, done: from, size, findings: [], state: "verified", removed: { pruned: 0, erased: 0, fields: 0 }, seq: -1, note: "" };
		while (r.done < to && r.state === "verified") {
			const end = Math.min(to, r.done + MAX_EVIDENCE);
			let report: Report;
			try {
				report = await this.judge(r.done, end, size, () => {}, signal);
			} catch (e) {
				if (signal?.aborted) r.state = "stopped";
				else {
					const finding = faultOf(e);
					r.state = isFalse(finding.code) ? "failed" : "unknown";
					r.findings.push(finding);
				}
				break;
			}
			r.findings.push(...report.findings);
			r.note = report.note?.text ?? r.note;
			for (const n of ["pruned", "erased", "fields"] as const) r.removed[n] = Math.max(r.removed[n], report.removed[n]);
			if (report.exit === 0) {
				r.done = end;
				progress({ done: end - from, total: to - from });
			} else {
				r.state = report.exit === 6 ? "failed" : "unknown";
			}
		}
		if (r.state === "failed") {
			r.seq = firstBad(r.findings.filter((f) => isFalse(f.code)));
			if (r.seq < 0 && r.findings.some((f) => f.code === "root_mismatch")) r.seq = await this.locate(r.done, Math.min(to, r.done + MAX_EVIDENCE), size, signal);
			this.fail(r.findings, r.seq, r.note);
		}
		this.checkedTo(r);
		this.mended(r);
		return r;
	}

	/**
	 * Finds the first of the entries [from, to) that may be false, when all that is known is that their tree is: the store keeps the hash of every
	 * whole run, so that of the runs only those that were changed contradict the signed tree.
	 */
	private async locate(from: number, to: number, size: number, signal?: AbortSignal): Promise<number> {
		for (let run = from; run < to; run = (Math.floor(run / RUN) + 1) * RUN) {
			try {
				const end = Math.min(size, (Math.floor(run / RUN) + 1) * RUN);
				if ((await this.judge(run, end, size, () => {}, signal)).exit === 6) return run;
			} catch {
				return -1;
			}
		}
		return -1;
	}

	/** Holds an older checkpoint of the log against the newest: whether a key pinned here signed it, and the log still begins with its tree. */
	async past(text: string, signal?: AbortSignal): Promise<Finding[]> {
		const pins = await this.pins(signal);
		let findings: Finding[];
		try {
			const old = readNote(text);
			const newest = readNote(await this.server.checkpoint(signal));
			findings = await trust(old, pins);
			if (old.size < newest.size) {
				const chunks = await this.server.evidence({ from: newest.size - 1, to: newest.size, size: newest.size, since: old.size }, signal);
				const report = await verifyBundle(chunks, { pins, since: old, ...(signal ? { signal } : {}) });
				// A key from before a rotation need not be pinned: the newest checkpoint vouches for the tree.
				if (report.exit === 0) findings = findings.filter((f) => f.code !== "key_unknown");
				findings.push(...report.findings);
			} else {
				findings.push(...(await trust(newest, pins)));
				if (toBase64(old.root) !== toBase64(newest.root)) {
					findings.push({ code: "fork", message: `two roots for size ${old.size}`, want: toBase64(old.root), got: toBase64(newest.root) });
				}
			}
		} catch (e) {
			if (signal?.aborted) throw e;
			findings = [faultOf(e)];
		}
		if (exitOf(findings) === 6) this.fail(findings, firstBad(findings), text);
		return findings;
	}

	/** Whoever has verified the whole log from where it failed has seen it mended. */
	private mended(r: RangeResult): void {
		const m = this.memory;
		if (!m?.failure || r.state !== "verified" || r.from > Math.max(0, m.failure.seq) || r.done < r.size) return;
		const { failure: _, ...rest } = m;
		this.keep(rest);
	}

	private checkedTo(r: RangeResult): void {
		const m = this.memory;
		if (!m || r.done <= r.from) return;
		const before = m.checked;
		const joins = before && r.from <= before.to && r.done >= before.from;
		this.keep({
			...m,
			checked: { from: joins ? Math.min(before.from, r.from) : r.from, to: joins ? Math.max(before.to, r.done) : r.done, at: this.now().toISOString() },
		});
	}
}

/** Runs of seqs that one answer of evidence covers; gaps of a few entries are read along. */
function runs(seqs: number[]): [number, number][] {
	const out: [number, number][] = [];
	for (const seq of seqs.sort((a, b) => a - b)) {
		const last = out.at(-1);
		if (last && seq + 1 - last[0] <= MAX_EVIDENCE && seq - last[1] < 20) last[1] = seq + 1;
		else out.push([seq, seq + 1]);
	}
	return out;
}

/** What an entry shows against what the evidence proves. */
function compare(shown: Obj, seq: number, e: Entry | undefined, report: Report): Finding | undefined {
	const removed = shown.get("removed") !== undefined;
	if (!e) return removed || report.exit !== 0 ? undefined : { code: "content_mismatch", message: `the evidence does not show entry ${seq}`, seq };
	if (removed) return { code: "content_mismatch", message: `entry ${seq} is called removed, but the evidence shows it`, seq };
	const stated = shown.get("leaf_hash");
	if (typeof stated === "string" && stated !== toBase64(e.stated)) {
		return { code: "content_mismatch", message: `entry ${seq} is shown with another leaf hash`, seq, want: toBase64(e.stated), got: stated };
	}
	const at = shown.get("received_at");
	if (typeof at === "string" && readTime(at) !== e.leaf.receivedAt)
		return { code: "content_mismatch", message: `entry ${seq} is shown with another time of receipt`, seq };
	const path = unproved(shown, e);
	return path === undefined
		? undefined
		: { code: "content_mismatch", message: `what is shown at ${path || "/"} of entry ${seq} is not what was recorded`, seq };
}

function firstBad(findings: readonly Finding[]): number {
	const seqs = findings.map((f) => f.seq).filter((s) => s !== undefined);
	return seqs.length > 0 ? Math.min(...seqs) : -1;
}

function resultOf(report: Report, state: State, findings: Finding[]): Result {
	const verdict = (about: Check, none = false): Verdict => {
		const of = findings.filter((f) => checkOf(f.code) === about);
		if (of.some((f) => isFalse(f.code))) return "failed";
		if (of.length > 0 || (about !== "inclusion" && !report.note && report.exit === 7)) return "missing";
		return none ? "none" : "ok";
	};
	return {
		state,
		findings,
		origin: report.origin,
		size: report.size,
		note: report.note?.text ?? "",
		vkey: report.vkey,
		...(report.signedAt === undefined ? {} : { signedAt: report.signedAt }),
		checks: { leaf: verdict("leaf"), inclusion: verdict("inclusion"), signature: verdict("signature"), consistency: verdict("consistency", !report.linked) },
	};
}

function blank(state: State, findings: Finding[]): Result {
	return {
		state,
		findings,
		origin: "",
		size: 0,
		note: "",
		vkey: "",
		checks: { leaf: "missing", inclusion: "missing", signature: "missing", consistency: "missing" },
	};
}

function statusOf(e: unknown): number {
	const status = (e as { status?: unknown } | undefined)?.status;
	return typeof status === "number" ? status : 0;
}

/** Whether a failure is known already. */
function sameFinding(was: Failure, f: Finding, seq: number): boolean {
	const known = was.findings[0];
	return known?.code === f.code && was.seq === seq && known.want === f.want && known.got === f.got;
}

/** The entry of an API answer's text, for Verifier.entries. */
export function readShown(text: string): Obj {
	const value: Json = readJSON(text);
	return value instanceof Map ? value : new Map();
}
