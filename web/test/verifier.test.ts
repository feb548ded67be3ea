import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { type Json, Num, type Obj, readJSON, writeJSON } from "../src/json/read";
import { utf8 } from "../src/verify/bytes";
import type { Store } from "../src/verify/memory";
import { recall } from "../src/verify/memory";
import { readNote } from "../src/verify/note";
import { type LogInfo, type Server, Verifier } from "../src/verify/verifier";

function vector(name: string): string {
	return readFileSync(`../testdata/vectors/${name}`, "utf8");
}

const BUNDLE = vector("bundle.ndjson");
const LINES = BUNDLE.split("\n").slice(0, -1);
const HEADER = readJSON(LINES[0] as string) as Obj;
const NOTE = (readJSON(LINES[1] as string) as Obj).get("note") as string;
const [FROM, TO] = [1, 13];

/** What a field of an erased entry holds. */
function held(f: Obj): Json {
	const v = f.get("v") as string;
	const values: Record<string, Json> = { s: v, n: new Num(v), t: true, f: false, z: null, o: new Map(), a: [] };
	return values[f.get("t") as string] as Json;
}

/** Puts what is left of an erased entry at its path. */
function put(top: Obj, path: string, value: Json): void {
	const names = path.split("/").slice(1);
	let at: Obj | Json[] = top;
	for (const [i, name] of names.entries()) {
		const next = i === names.length - 1 ? value : names[i + 1]?.startsWith("~#") ? [] : new Map<string, Json>();
		let inner: Json | undefined;
		if (Array.isArray(at)) {
			inner = at[Number(name.slice(2))] ?? next;
			at[Number(name.slice(2))] = inner;
		} else {
			inner = at.get(name) ?? next;
			at.set(name, inner);
		}
		at = inner as Obj;
	}
}

/** The entries of the bundle as the API shows them. */
function shown(): Obj[] {
	const out: Obj[] = [];
	for (const line of LINES) {
		const m = readJSON(line) as Obj;
		if (m.get("t") === "leaf")
			out.push(
				new Map<string, Json>([
					["seq", m.get("seq") as Json],
					["removed", "erased"],
				]),
			);
		if (m.get("t") !== "entry") continue;
		const e: Obj = new Map<string, Json>([["org", "org_acme"]]);
		for (const name of ["seq", "id", "received_at", "leaf_hash"]) e.set(name, m.get(name) as Json);
		const payload = m.get("payload");
		if (payload instanceof Map) {
			if (!payload.has("occurred_at") && m.get("kind") !== null) e.set("occurred_at", m.get("received_at") as Json);
			for (const [name, v] of payload) e.set(name, v);
		} else {
			e.set("erased_fields", []);
			for (const f of m.get("fields") as Obj[]) if (f.has("p")) put(e, f.get("p") as string, held(f));
		}
		out.push(e);
	}
	return out;
}

class Refused extends Error {
	constructor(readonly status: number) {
		super(`the server answered ${status}`);
	}
}

class Fake implements Server {
	bundle = BUNDLE;
	note = NOTE;
	asked: { from: number; to: number; size?: number; since?: number }[] = [];
	refuse: (ask: { since?: number }) => number = () => 0;
	keys = [{ vkey: HEADER.get("vkey") as string, state: "current" }];

	async info(): Promise<LogInfo> {
		return { origin: HEADER.get("origin") as string, size: 16, signedSize: 16, minIndex: 0, keys: this.keys, state: "open", anchorVkey: "" };
	}

	async checkpoint(): Promise<string> {
		return this.note;
	}

	async evidence(ask: { from: number; to: number; size?: number; since?: number }): Promise<AsyncIterable<Uint8Array>> {
		this.asked.push(ask);
		const status = this.refuse(ask);
		if (status) throw new Refused(status);
		const text = this.bundle;
		return (async function* () {
			yield utf8(text);
		})();
	}
}

class Shelf implements Store {
	readonly values = new Map<string, string>();
	getItem(name: string): string | null {
		return this.values.get(name) ?? null;
	}
	setItem(name: string, value: string): void {
		this.values.set(name, value);
	}
	removeItem(name: string): void {
		this.values.delete(name);
	}
}

const now = (): Date => new Date("2026-11-22T00:00:00Z");
const make = (): { fake: Fake; shelf: Shelf; v: Verifier } => {
	const fake = new Fake();
	const shelf = new Shelf();
	return { fake, shelf, v: new Verifier(fake, "org_acme", shelf, now) };
};
/** An edit of the bundle whose footer fits again. */
async function refoot(text: string): Promise<string> {
	const lines = text.split("\n").slice(0, -2);
	const sum = await crypto.subtle.digest("SHA-256", utf8(lines.map((l) => `${l}\n`).join("")));
	lines.push(`{"t":"footer","lines":${lines.length},"sha256":"${btoa(String.fromCharCode(...new Uint8Array(sum)))}"}`);
	return lines.map((l) => `${l}\n`).join("");
}

test("entries that are what they were are verified, and the checkpoint is remembered", async () => {
	const { fake, shelf, v } = make();
	const all = shown();
	assert.ok(all.length > 5);
	const results = await v.entries(all);
	assert.equal(results.size, all.length);
	for (const [seq, r] of results) {
		assert.equal(r.state, "verified", `${seq}: ${JSON.stringify(r.findings)}`);
		assert.deepEqual(r.checks, { leaf: "ok", inclusion: "ok", signature: "ok", consistency: "none" });
		assert.equal(r.size, 16);
	}
	assert.equal(v.fresh, true);
	assert.equal(recall(shelf, "org_acme")?.note, NOTE);
	// A second visit pins nothing, asks in the tree that it knows, and holds it against what it remembers.
	const again = new Verifier(fake, "org_acme", shelf, now);
	const second = await again.entries(all);
	assert.equal(again.fresh, false);
	assert.deepEqual(fake.asked.at(-1), { from: FROM, to: TO, size: 16, since: 16 });
	for (const r of second.values()) assert.deepEqual([r.state, r.checks.consistency], ["verified", "ok"]);
});

test("what is shown must be what was recorded: nothing more, nothing less, nothing else", async () => {
	const edits: [string, (e: Obj) => void][] = [
		["a value", (e) => e.set("action", "user.logout")],
		["a member more", (e) => e.set("reason", "because")],
		["a member less", (e) => e.delete("actor")],
		["a time", (e) => e.set("received_at", "2026-11-21T00:00:00.000000Z")],
		["a hash", (e) => e.set("leaf_hash", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")],
		["an id", (e) => e.set("id", "evt_01m80529qve62ssephk7mdjt2e")],
		["removed", (e) => e.set("removed", "erased")],
	];
	for (const [name, edit] of edits) {
		const { shelf, v } = make();
		const all = shown();
		const one = all.find((e) => e.has("action")) as Obj;
		const seq = Number((one.get("seq") as { text: string }).text);
		edit(one);
		const results = await v.entries(all);
		assert.equal(results.get(seq)?.state, "failed", name);
		assert.equal(results.get(seq)?.checks.leaf, "failed", name);
		for (const [other, r] of results) if (other !== seq) assert.equal(r.state, "verified", `${name} ${other}`);
		assert.equal(recall(shelf, "org_acme")?.failure?.seq, seq, name);
	}
});

test("evidence that was changed fails at the entry", async () => {
	const { fake, shelf, v } = make();
	const line = LINES.find((l) => l.startsWith('{"t":"entry"') && l.includes('"action":"')) as string;
	fake.bundle = await refoot(BUNDLE.replace(line, line.replace(/"action":"[^"]/, '"action":"X')));
	const r = await v.range(FROM, TO, 16, () => {});
	const seq = Number(/"seq":(\d+)/.exec(line)?.[1]);
	assert.deepEqual([r.state, r.seq, r.done], ["failed", seq, FROM]);
	const found = r.findings.find((f) => f.code === "leaf_mismatch");
	assert.ok(found?.want && found.got && found.want !== found.got);
	assert.equal(recall(shelf, "org_acme")?.failure?.seq, seq);
	// The banner stays until somebody acknowledges it.
	assert.equal(new Verifier(fake, "org_acme", shelf, now).memory?.failure?.seq, seq);
	// Another failure takes its place: what was acknowledged of the first says nothing about it.
	fake.bundle = await refoot(BUNDLE.replace(line, line.replace(/"action":"[^"]/, '"action":"Y')));
	await v.range(FROM, TO, 16, () => {});
	assert.notEqual(recall(shelf, "org_acme")?.failure?.findings[0]?.got, found.got);
});

test("a range is verified, counted and remembered", async () => {
	const { shelf, v } = make();
	const seen: number[] = [];
	const r = await v.range(FROM, TO, 16, (p) => seen.push(p.done));
	assert.deepEqual([r.state, r.done, r.findings], ["verified", TO, []]);
	assert.deepEqual(seen, [TO - FROM]);
	assert.deepEqual(recall(shelf, "org_acme")?.checked, { from: FROM, to: TO, at: now().toISOString() });
	assert.ok(r.removed.fields > 0);
});

test("what cannot be reached is unknown, never failed", async () => {
	const { fake, shelf, v } = make();
	fake.refuse = () => 500;
	for (const r of (await v.entries(shown())).values()) assert.deepEqual([r.state, r.findings[0]?.code], ["unknown", "unreachable"]);
	assert.equal((await v.range(FROM, TO, 16, () => {})).state, "unknown");
	assert.equal(recall(shelf, "org_acme")?.failure, undefined);
	// Half an answer.
	fake.refuse = () => 0;
	fake.bundle = BUNDLE.slice(0, BUNDLE.length / 2);
	for (const r of (await v.entries(shown())).values()) assert.equal(r.state, "unknown");
	const stopped = new AbortController();
	stopped.abort();
	fake.bundle = BUNDLE;
	assert.equal((await v.range(FROM, TO, 16, () => {}, stopped.signal)).state, "stopped");
});

test("another key is never accepted in silence", async () => {
	const { fake, shelf, v } = make();
	await v.entries(shown());
	const stranger = "audit.example.com/o/7f3k2q9x4m1n8p5r+6218d475+Ae3uGAWqO3pX/IfKqGp+W0V9KKG+cgZcDsNgnTR3WmJN";
	const own = HEADER.get("vkey") as string;
	const memory = JSON.parse(shelf.getItem("daybook.log.org_acme") as string);
	const others = (JSON.parse(vector("checkpoint.json")) as { keys: { vkey: string; name: string; purpose: string }[] }).keys
		.filter((k) => k.purpose === "checkpoint-key" && k.vkey !== own && k.vkey !== stranger)
		.map((k) => k.vkey);
	assert.ok(others.length > 0);
	for (const vkey of others) {
		shelf.setItem("daybook.log.org_acme", JSON.stringify({ ...memory, keys: [{ vkey, since: "" }] }));
		const next = new Verifier(fake, "org_acme", shelf, now);
		const [result] = (await next.entries(shown())).values();
		const keys = recall(shelf, "org_acme")?.keys.map((k) => k.vkey);
		if (result?.state === "verified") {
			// A rotation of the bundle vouches for the key that signed.
			assert.deepEqual(keys, [vkey, own]);
		} else {
			assert.deepEqual([result?.state, result?.checks.signature], ["unknown", "missing"]);
			assert.deepEqual(keys, [vkey]);
			next.acceptNew();
			assert.equal((await next.entries(shown())).values().next().value?.state, "verified");
		}
	}
});

test("a log that is shorter, or forked, than what is remembered is found out", async () => {
	const { fake, shelf, v } = make();
	await v.entries(shown());
	const memory = JSON.parse(shelf.getItem("daybook.log.org_acme") as string);
	const forked = NOTE.replace(/\n[A-Za-z0-9+/]{43}=\n/, "\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
	shelf.setItem("daybook.log.org_acme", JSON.stringify({ ...memory, note: forked }));
	const again = new Verifier(fake, "org_acme", shelf, now);
	const results = await again.entries(shown());
	for (const r of results.values()) assert.deepEqual([r.state, r.checks.consistency], ["failed", "failed"]);
	assert.equal((await again.checkpoint()).findings[0]?.code, "fork");
	// The server no longer knows the checkpoint: what it has instead is older.
	const larger = NOTE.replace("\n16\n", "\n17\n");
	shelf.setItem("daybook.log.org_acme", JSON.stringify({ ...memory, note: larger }));
	fake.refuse = (ask) => (ask.since === undefined ? 0 : 404);
	const third = new Verifier(fake, "org_acme", shelf, now);
	assert.equal(readNote(larger).size, 17);
	for (const r of (await third.entries(shown())).values()) assert.notEqual(r.state, "verified");
});

test("memory that was damaged is forgotten", () => {
	for (const text of ["", "{", "null", "[]", "{}", '{"origin":1,"keys":[]}', '{"origin":"o","keys":[{"vkey":1}]}']) {
		const shelf = new Shelf();
		shelf.setItem("daybook.log.o", text);
		assert.equal(recall(shelf, "o"), undefined, text);
	}
	assert.equal(recall(undefined, "o"), undefined);
	assert.equal(writeJSON(readJSON("1.0")), "1.0");
});

test("a server that says that its store is damaged is not out of reach", async () => {
	const { fake, shelf, v } = make();
	fake.checkpoint = async () => NOTE;
	const damaged = Object.assign(new Refused(500), { code: "store_damaged", damage: { from: 3, to: 9 } });
	fake.evidence = async () => {
		throw damaged;
	};
	const r = await v.range(FROM, TO, 16, () => {});
	assert.deepEqual([r.state, r.seq, r.findings.map((f) => f.code)], ["failed", 3, ["store_damaged"]]);
	for (const one of (await v.entries(shown())).values()) assert.equal(one.state, "failed");
	assert.equal(recall(shelf, "org_acme")?.failure, undefined); // the server keeps it
});

test("an older checkpoint is held against the newest", async () => {
	const { fake, shelf, v } = make();
	const line = LINES.map((l) => readJSON(l) as Obj).find((m) => m.get("t") === "consistency") as Obj;
	const old = line.get("note") as string;
	const size = readNote(old, false).size;
	assert.deepEqual(await v.past(old), [], "an honest one");
	assert.deepEqual(fake.asked.at(-1), { from: 15, to: 16, size: 16, since: size });
	assert.deepEqual(await v.past(NOTE), [], "the newest itself");
	// The root of another: nobody signed it.
	const other = NOTE.replace(/\n(\S+)\n\n/, "\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n");
	const findings = await v.past(other);
	assert.ok(findings.some((f) => f.code === "signature_invalid") && findings.some((f) => f.code === "fork"), JSON.stringify(findings));
	assert.equal(recall(shelf, "org_acme")?.failure?.findings.length, findings.length);
	fake.checkpoint = async () => {
		throw new Refused(503);
	};
	assert.deepEqual(
		(await v.past(old)).map((f) => f.code),
		["unreachable"],
	);
});
