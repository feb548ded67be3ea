import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Fault, type Json, readJSON, writeJSON } from "../src/json/read";
import { verifyBundle } from "../src/verify/bundle";
import { concat, fromBase64, hex, sha256, toBase64, utf8 } from "../src/verify/bytes";
import { forget } from "../src/verify/ed25519";
import { Bad } from "../src/verify/finding";
import { leafBytes, leafHash, readEntry, readLeaf, readTime, readTypeID } from "../src/verify/leaf";
import { type Key, readKey, readNote, saidBy } from "../src/verify/note";
import { checkShape, type Field, openFields, openPayload, payloadRoot, readPayload } from "../src/verify/payload";
import { readProof, verifyProof } from "../src/verify/proof";
import { consistent, EMPTY_ROOT, included, Range, subtrees } from "../src/verify/tree";

const FOLDER = "../testdata/vectors/";
const text = (name: string): string => readFileSync(FOLDER + name, "utf8");

const raw = (name: string): Uint8Array => utf8(text(name));
// biome-ignore lint/suspicious/noExplicitAny: the files are data of many shapes
const read = (name: string): any => JSON.parse(text(name));
const unhex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (b) => parseInt(b, 16));
const unbase64 = (text: string): Uint8Array => fromBase64(text) ?? assert.fail(`not base64: ${text}`);

/** The bytes of a case of payload.json. */
function input(c: { json?: string; json_hex?: string; json_rule?: { prefix: string; repeat: string; count: number; suffix: string } }): Uint8Array {
	if (c.json_rule) return utf8(c.json_rule.prefix + c.json_rule.repeat.repeat(c.json_rule.count) + c.json_rule.suffix);
	return c.json_hex === undefined ? utf8(c.json ?? "") : unhex(c.json_hex);
}

test("payload.json: accepted payloads give the same fields, salts and roots", () => {
	const roots = new Map<string, string>();
	for (const c of read("payload.json").accept) {
		const opened = openPayload(readPayload(input(c)), unhex(c.secret_hex));
		assert.equal(hex(payloadRoot(opened.commitments)), c.payload_root_hex, c.name);
		assert.equal(opened.fields.length, c.field_count, c.name);
		roots.set(c.name, c.payload_root_hex);
		for (const [i, f] of (c.fields ?? []).entries()) {
			const { path, type, value } = opened.fields[i] as Field;
			assert.deepEqual({ path, type, value }, { path: f.path, type: f.type, value: f.value ?? "" }, `${c.name} ${i}`);
			assert.equal(hex(opened.commitments[i] as Uint8Array), f.commitment_hex, `${c.name} ${i}`);
		}
	}
	assert.ok(roots.size > 30);
});

test("payload.json: what the server refuses is refused, with its word", () => {
	const cases = read("payload.json").refuse;
	assert.equal(cases.length, 47);
	for (const c of cases) {
		assert.throws(
			() => readPayload(input(c)),
			(e) => e instanceof Fault && e.code === c.reason,
			c.name,
		);
	}
});

test("payload.json: erased forms give the root of the whole, shapes are allowed or not", () => {
	const file = readJSON(text("payload.json")) as Map<string, Json>;
	for (const c of file.get("erase") as Map<string, Json>[]) {
		assert.equal(hex(payloadRoot(openFields(c.get("fields")).commitments)), c.get("payload_root_hex"), String(c.get("name")));
	}
	for (const c of file.get("shape") as Map<string, Json>[]) {
		const open = (): unknown => openFields(c.get("fields"));
		if (c.get("ok") === true) open();
		else assert.throws(open, (e) => e instanceof Bad, String(c.get("name")));
	}
	assert.throws(
		() => checkShape([{ path: "/a/~#1", type: "t", value: "" }], 0),
		(e) => e instanceof Bad,
	);
});

test("leaf.json", () => {
	const file = read("leaf.json");
	for (const c of file.leaf) {
		const bytes = unhex(c.leaf_hex);
		const l = readLeaf(bytes);
		assert.equal(l.seq, c.seq);
		assert.equal(l.kind, c.kind);
		assert.equal(l.receivedAt, readTime(c.received_at));
		if (c.received_at_us < 2 ** 53) assert.equal(l.receivedAt, BigInt(c.received_at_us));
		assert.equal(hex(l.id), c.uuid_hex);
		assert.equal(hex(readTypeID(c.id) as Uint8Array), c.uuid_hex);
		assert.equal(hex(leafBytes(l)), c.leaf_hex);
		assert.equal(hex(leafHash(bytes)), c.leaf_hash_hex);
	}
	for (const c of file.refuse)
		assert.throws(
			() => readLeaf(unhex(c.leaf_hex)),
			(e) => e instanceof Bad,
			c.name,
		);
	for (const c of file.ids) assert.equal(hex(readTypeID(c.id) as Uint8Array), c.uuid_hex);
	for (const c of file.refuse_ids) assert.equal(readTypeID(typeof c === "string" ? c : c.id), undefined);
	for (const at of ["2026-11-21T22:54:08Z", "2026-02-30T00:00:00.000000Z", "2026-11-21T24:00:00.000000Z", "2026-11-21T22:54:08.123456+00:00"]) {
		assert.equal(readTime(at), undefined, at);
	}
});

test("tree.json: roots, inclusion, consistency and range proofs", () => {
	const file = read("tree.json");
	const first = unhex(file.first_leaf_hex);
	const l = readLeaf(first);
	const leaves: Uint8Array[] = [];
	for (let i = 0; i < 70000; i++) {
		const seq = new Uint8Array(8);
		new DataView(seq.buffer).setBigUint64(0, BigInt(i));
		const id = sha256(utf8("daybook-vector/id"), seq).slice(0, 16);
		const root = sha256(utf8("daybook-vector/payload"), seq);
		leaves.push(leafHash(leafBytes({ kind: 0, seq: i, receivedAt: l.receivedAt + BigInt(i), id, root })));
	}
	const roots = new Map<number, Uint8Array>();
	const rootOf = (size: number): Uint8Array => {
		let root = roots.get(size);
		if (!root) {
			const t = Range.of(0, size, size, [], []) as Range;
			for (const h of leaves.slice(0, size)) t.append(h);
			root = t.root();
			roots.set(size, root);
		}
		return root;
	};
	assert.equal(hex(leaves[0] as Uint8Array), hex(leafHash(first)));
	for (const r of file.roots) if (r.size < 3000 || r.size === 70000) assert.equal(toBase64(rootOf(r.size)), r.root_b64, String(r.size));
	for (const c of file.inclusion) {
		const proof = c.proof_b64.map(unbase64);
		const root = rootOf(c.size);
		assert.ok(included(leaves[c.seq] as Uint8Array, c.seq, c.size, proof, root), `${c.seq} of ${c.size}`);
		assert.ok(!included(EMPTY_ROOT, c.seq, c.size, proof, root));
		assert.ok(!included(leaves[c.seq] as Uint8Array, c.seq, c.size, [...proof, root], root));
		if (proof.length > 0) assert.ok(!included(leaves[c.seq] as Uint8Array, c.seq, c.size, proof.slice(1), root));
	}
	for (const c of file.consistency) {
		const proof = c.proof_b64.map(unbase64);
		const was = rootOf(c.from);
		const now = rootOf(c.to);
		assert.ok(consistent(c.from, was, c.to, now, proof), `${c.from} to ${c.to}`);
		if (c.from === c.to) continue;
		assert.ok(!consistent(c.from, now, c.to, now, proof));
		assert.ok(!consistent(c.from, was, c.to, was, proof));
		assert.ok(!consistent(c.from, was, c.to, now, proof.slice(1)));
	}
	for (const c of file.range) {
		const t = Range.of(c.from, c.to, c.size, c.left_b64.map(unbase64), c.right_b64.map(unbase64));
		assert.ok(t);
		for (const h of leaves.slice(c.from, c.to)) t.append(h);
		assert.equal(toBase64(t.root()), toBase64(rootOf(c.size)), `${c.from} to ${c.to} of ${c.size}`);
		assert.equal(Range.of(c.from, c.to, c.size, [...c.left_b64.map(unbase64), EMPTY_ROOT], []), undefined);
	}
	assert.deepEqual(subtrees(3, 11), [1, 4, 2, 1]);
});

const types = (vkey: string): number => unbase64(vkey.split("+").slice(2).join("+"))[0] as number;

async function open(note: string, vkeys: string[]): Promise<string> {
	let n: ReturnType<typeof readNote>;
	let keys: Key[];
	try {
		n = readNote(note);
		keys = vkeys.map((v) => readKey(v, types(v)));
	} catch (e) {
		assert.ok(e instanceof Bad);
		return e.code;
	}
	let found = "unsigned";
	for (const k of keys) {
		const said = await saidBy(n, k);
		if (said.signed === "wrong") return "wrong";
		if (said.signed) found = "ok";
	}
	return found;
}

for (const without of [false, true]) {
	test(`checkpoint.json: notes open with the right keys only${without ? ", without crypto.subtle" : ""}`, async () => {
		if (without) Object.defineProperty(globalThis.crypto, "subtle", { configurable: true, value: undefined });
		forget();
		const file = read("checkpoint.json");
		for (const n of file.notes) {
			const note = readNote(n.note);
			assert.equal(note.text, n.note);
			const signers = file.keys.map((k: { vkey: string }) => k.vkey);
			for (const vkey of n.signed_by) if (signers.includes(vkey)) assert.equal(await open(n.note, [vkey]), "ok", n.name);
		}
		for (const c of file.open) assert.equal((await open(c.note, c.vkeys)) === "ok", c.expect === "ok", `${c.name}: ${c.expect}`);
		const p = file.tlog_proof;
		const proof = readProof(p.text);
		assert.equal(hex(proof.hash), p.leaf_hash_hex);
		assert.deepEqual(
			(await verifyProof(proof, [p.vkey])).map((f) => f.code),
			[],
		);
		assert.deepEqual(
			(await verifyProof(proof, [])).map((f) => f.code),
			["key_not_pinned"],
		);
		const e = readEntry(readJSON(JSON.stringify(file.epoch.entry)));
		assert.equal(toBase64(e.hash), file.epoch.entry.leaf_hash);
		Reflect.deleteProperty(globalThis.crypto, "subtle");
		forget();
	});
}

interface Mutation {
	name: string;
	file?: string;
	refoot: boolean;
	pins?: string[];
	state?: string;
	anchor?: string;
	exit: 0 | 6 | 7;
	reason?: string;
	edits?: { op: string; line: number; to: number; size: number; old: string; new?: string; text?: string }[];
}

function mutate(m: Mutation, bundle: string): Uint8Array {
	if (m.file !== undefined) return utf8(m.file);
	const lines = bundle.split("\n").slice(0, -1);
	let cut = 0;
	for (const e of m.edits ?? []) {
		const i = e.line - 1;
		if (e.op === "replace") lines[i] = (lines[i] as string).replace(e.old, () => e.new ?? "");
		else if (e.op === "set") lines[i] = e.text ?? "";
		else if (e.op === "insert") lines.splice(i, 0, e.text ?? "");
		else if (e.op === "delete") lines.splice(i, e.to - i);
		else if (e.op === "swap") [lines[i], lines[e.to - 1]] = [lines[e.to - 1] as string, lines[i] as string];
		else cut = e.size;
	}
	if (m.refoot) {
		lines.pop();
		const sum = toBase64(sha256(utf8(lines.map((l) => `${l}\n`).join(""))));
		lines.push(`{"t":"footer","lines":${lines.length},"sha256":"${sum}"}`);
	}
	const out = utf8(lines.map((l) => `${l}\n`).join(""));
	return out.subarray(0, out.length - cut);
}

test("mutations.json: nothing that Go refuses is proved here, and the reasons agree", async () => {
	const bundle = new TextDecoder().decode(raw("bundle.ndjson"));
	const all = read("mutations.json").mutations as Mutation[];
	assert.equal(all.length, 105);
	const wrong: string[] = [];
	for (const m of all) {
		const report = await verifyBundle([mutate(m, bundle)], {
			pins: m.pins ?? [],
			...(m.state ? { since: readNote(m.state, false) } : {}),
			...(m.anchor ? { anchorKey: m.anchor } : {}),
		});
		if (report.exit !== m.exit || (m.reason && !report.findings.some((f) => f.code === m.reason))) {
			wrong.push(`${m.name}: exit ${report.exit}, want ${m.exit} ${m.reason ?? ""}; ${JSON.stringify(report.findings)}`);
		}
	}
	assert.deepEqual(wrong, []);
});

test("no truncation and no flipped bit of the bundle is proved", async () => {
	const bundle = raw("bundle.ndjson");
	const pins = (read("mutations.json").mutations as Mutation[])[0]?.pins ?? [];
	assert.equal((await verifyBundle([bundle], { pins })).exit, 0);
	for (let n = 1; n < bundle.length; n += 97) assert.notEqual((await verifyBundle([bundle.subarray(0, n)], { pins })).exit, 0, `${n} bytes`);
	for (let i = 0; i < bundle.length; i += 23) {
		const damaged = bundle.slice();
		damaged[i] = (damaged[i] as number) ^ (1 << (i % 8));
		assert.notEqual((await verifyBundle([damaged], { pins })).exit, 0, `bit ${i % 8} of byte ${i}`);
	}
	// Chunks of any size give the same.
	const chunks = Array.from({ length: Math.ceil(bundle.length / 7) }, (_, i) => bundle.subarray(7 * i, 7 * i + 7));
	assert.equal((await verifyBundle(chunks, { pins })).exit, 0);
	assert.equal((await verifyBundle([concat(bundle, utf8("\n"))], { pins })).exit, 6);
});

test("what is read is written with the same digits", () => {
	const text = '{"a":9007199254740993,"b":[1.10,-0,1e400,"q\\"\\\\"],"__proto__":{"c":null}}';
	assert.equal(writeJSON(readJSON(text)), text);
});
