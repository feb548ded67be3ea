import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import {
	and,
	clauses,
	exclude,
	include,
	standOf,
	valuesOf,
	without,
	withoutClause,
	writeMeta,
	writeMetaValue,
	writeTarget,
	writeValue,
} from "../src/query/terms";
import { around, open, partner, tokens, toPoints, toUnits } from "../src/query/tokens";

// biome-ignore lint/suspicious/noExplicitAny: the files are data of many shapes
function vectors(name: string): any {
	return JSON.parse(readFileSync(`../testdata/vectors/${name}`, "utf8"));
}

/** Deterministic: a failure can be repeated. */
function random(seed: number): (n: number) => number {
	return (n) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * n);
	};
}

function whole(text: string): void {
	let at = 0;
	for (const t of tokens(text)) {
		assert.equal(t.from, at, text);
		assert.ok(t.to > t.from, text);
		at = t.to;
	}
	assert.equal(at, text.length, text);
}

interface Node {
	op?: string;
	field?: string;
	kids?: Node[];
}

function conditions(n: Node | undefined): { fields: number; texts: number } {
	const out = { fields: 0, texts: 0 };
	const walk = (k: unknown): void => {
		if (Array.isArray(k)) for (const x of k) walk(x);
		else if (k && typeof k === "object") {
			const o = k as Record<string, unknown>;
			if (typeof o["field"] === "string") out[o["field"] === "text" ? "texts" : "fields"]++;
			for (const [name, v] of Object.entries(o)) if (name !== "values") walk(v);
		}
	};
	walk(n);
	return out;
}

test("query.json: tokens are the whole text, and as many conditions as the parser finds", () => {
	const cases = vectors("query.json").cases;
	assert.ok(cases.length > 100);
	let compared = 0;
	for (const c of cases) {
		whole(c.text);
		const found = tokens(c.text);
		if (c.error) {
			if (c.error.code === "unclosed_quote" && !found.some((t) => t.unclosed)) assert.ok(/\."/.test(c.text), c.text);
			continue;
		}
		assert.ok(!found.some((t) => t.unclosed), c.text);
		const state = open(c.text);
		assert.deepEqual([state.quote, state.parens, state.stray], [undefined, [], []], c.text);
		assert.equal(found.filter((t) => t.kind === "field").length, conditions(c.tree).fields, c.text);
		compared++;
	}
	assert.ok(compared > 50);
});

test("query.json: open parentheses and quotes are where the parser says", () => {
	for (const c of vectors("query.json").cases) {
		if (c.error?.code !== "unbalanced") continue;
		const state = open(c.text);
		assert.ok([...state.parens, ...state.stray].includes(toUnits(c.text, c.error.pos)), c.text);
	}
	assert.equal(open('note "paid by').quote, 5);
});

test("any text has tokens", () => {
	const pick = random(1);
	const alphabet = ["a", "B", "1", ":", ".", "-", "(", ")", '"', "\\", "*", ",", "<", ">", "=", " ", "\n", "OR", "NOT", "AND", "meta", "😀", "é", "/", "_"];
	for (let i = 0; i < 5000; i++) {
		const text = Array.from({ length: pick(12) }, () => alphabet[pick(alphabet.length)]).join("");
		whole(text);
		open(text);
		around(text, pick(text.length + 1));
		partner(text, pick(text.length + 1));
		clauses(text);
		include(text, "action", "x");
		without(exclude(text, "action", "x"), "action", "x");
	}
});

test("the caret", () => {
	assert.deepEqual(around("a act:b,c d", 7), { from: 2, to: 9, quoted: false });
	assert.deepEqual(around("a  b", 2), { from: 2, to: 2, quoted: false });
	assert.deepEqual(around("(act", 4), { from: 1, to: 4, quoted: false });
	assert.equal(around('a:"b c" d', 5).quoted, true);
	assert.equal(around('a "b c', 6).quoted, true);
	assert.deepEqual(partner("(a (b))", 7), [0, 6]);
	assert.deepEqual(partner("(a (b))", 4), [3, 5]);
	assert.equal(partner("(a", 0), undefined);
	assert.equal(toUnits("😀a", 1), 2);
	assert.equal(toPoints("😀a", 2), 1);
	assert.equal(toPoints("😀a", 3), 2);
});

test("query_terms.json: values and fields are written as the server prints them", () => {
	const file = vectors("query_terms.json");
	assert.ok(file.terms.length > 20);
	for (const c of file.terms) {
		const field = c.key === undefined ? c.field : writeMeta(c.key, c.field);
		const value = c.type === undefined ? (c.key === undefined ? writeValue(c.value) : writeMetaValue(c.value)) : writeTarget(c.type, c.value);
		assert.equal(`${field}:${value}`, c.normal);
	}
	for (const c of file.edits) {
		const edit = { include, exclude, without }[c.op as "include"];
		assert.equal(edit(c.text, c.field, c.value), c.result, `${c.op} ${c.field}:${c.value} in ${c.text}`);
	}
});

test("standing and values", () => {
	const q = 'action:a,"b c" -actor:x NOT target:t:1 (reason:z OR via:y) seq:>=5 "actor:w"';
	assert.equal(standOf(q, "action", "a"), "included");
	assert.equal(standOf(q, "action", writeValue("b c")), "included");
	assert.equal(standOf(q, "actor", "x"), "excluded");
	assert.equal(standOf(q, "target", "t:1"), "excluded");
	assert.equal(standOf(q, "reason", "z"), "none");
	assert.equal(standOf(q, "seq", "5"), "none");
	assert.equal(standOf(q, "actor", "w"), "none");
	assert.equal(standOf("action:a*", "action", writeValue("a*")), "none");
	assert.equal(standOf("action:a OR b", "action", "a"), "none");
	assert.deepEqual(valuesOf(q, "action"), ["a", '"b c"']);
	assert.deepEqual(valuesOf(q, "actor", "excluded"), ["x"]);
	assert.equal(withoutClause(q, "-actor:x"), 'action:a,"b c" NOT target:t:1 (reason:z OR via:y) seq:>=5 "actor:w"');
	assert.deepEqual(clauses("a (b OR c) -d:e"), ["a", "(b OR c)", "-d:e"]);
	assert.deepEqual(clauses("a OR b"), ["a OR b"]);
});

test("adding a term and taking it out again gives the same query", () => {
	const pick = random(7);
	const parts = [
		"action:invoice.*",
		'reason:"paid by"',
		"-actor.type:system",
		"(a OR b)",
		"refund*",
		"outcome:failure,denied",
		'meta."cost center":"R&D"',
		"seq:1..5",
		"http.status_code:>=500",
		'"x y"',
		"NOT is:late",
	];
	const values = ["plain", "with space", 'q"uote', "back\\slash", "comma,", "star*", "(paren)", "<less", "", "😀 ü", "a:b", "OR", "-x"];
	for (let i = 0; i < 2000; i++) {
		const joint = pick(4) === 0 ? " OR " : " ";
		const query = Array.from({ length: pick(4) }, () => parts[pick(parts.length)]).join(joint);
		const value = writeValue(values[pick(values.length)] as string);
		for (const [edit, stand] of [
			[include, "included"],
			[exclude, "excluded"],
		] as const) {
			const edited = edit(query, "target.name", value);
			assert.equal(standOf(edited, "target.name", value), stand, edited);
			assert.equal(edit(edited, "target.name", value), edited);
			const back = without(edited, "target.name", value);
			const same = [query, query.replace(/^\((.*)\)$/, "$1")];
			assert.ok(same.includes(back), `${query} became ${back} by way of ${edited}`);
		}
		assert.equal(and(query, "x:y").endsWith("x:y"), true);
	}
});
