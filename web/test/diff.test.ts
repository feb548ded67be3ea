import assert from "node:assert/strict";
import test from "node:test";
import { namesOf, pretty, rowsOf, unchanged } from "../src/diff/model";
import { lines, words } from "../src/diff/words";
import { readJSON } from "../src/json/read";

function random(seed: number): (n: number) => number {
	return (n) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * n);
	};
}

const joined = (runs: { kind: string; text: string }[], not: string): string =>
	runs
		.filter((r) => r.kind !== not)
		.map((r) => r.text)
		.join("");

test("words", () => {
	assert.deepEqual(words("Net 30 days, paid by card", "Net 45 days, paid by bank transfer"), [
		{ kind: "same", text: "Net " },
		{ kind: "del", text: "30" },
		{ kind: "ins", text: "45" },
		{ kind: "same", text: " days, paid by " },
		{ kind: "del", text: "card" },
		{ kind: "ins", text: "bank transfer" },
	]);
	assert.deepEqual(words("", "a"), [{ kind: "ins", text: "a" }]);
	assert.deepEqual(words("a", ""), [{ kind: "del", text: "a" }]);
	assert.deepEqual(words("a b", "a b"), [{ kind: "same", text: "a b" }]);
	assert.deepEqual(words("", ""), []);
});

test("characters that readers see as one are never cut", () => {
	for (const [a, b] of [
		["👩‍👩‍👧 x", "👩‍👩‍👦 x"],
		["e\u0301a", "ea"],
		["🇩🇪🇫🇷", "🇩🇪🇪🇸"],
		["👍🏽", "👍🏿"],
	] as const) {
		const runs = words(a, b);
		assert.equal(joined(runs, "ins"), a);
		assert.equal(joined(runs, "del"), b);
		for (const r of runs) assert.ok(!/^(?:\p{M}|\u200d|[\u{1f3fb}-\u{1f3ff}])/u.test(r.text), JSON.stringify(runs));
	}
});

test("the runs give both texts, whatever they are", () => {
	const pick = random(3);
	const alphabet = ["a", "bb", " ", "  ", "\n", ".", "é", "e\u0301", "😀", "1", "30", "שלום", "日本", "-"];
	const text = (): string => Array.from({ length: pick(30) }, () => alphabet[pick(alphabet.length)]).join("");
	for (let i = 0; i < 1000; i++) {
		const [a, b] = [text(), text()];
		const runs = words(a, b);
		assert.equal(joined(runs, "ins"), a);
		assert.equal(joined(runs, "del"), b);
		for (const [j, r] of runs.entries()) {
			assert.notEqual(r.text, "");
			assert.notEqual(r.kind, runs[j - 1]?.kind);
		}
	}
});

test("ten thousand characters that have nothing in common are told as one run out and one in", () => {
	const a = Array.from({ length: 2000 }, (_, i) => `a${i}`).join(" ");
	const b = Array.from({ length: 2000 }, (_, i) => `b${i}`).join(" ");
	const runs = words(a, b); // a search for the least difference would not end before the test is given up
	assert.equal(joined(runs, "ins"), a);
	assert.equal(joined(runs, "del"), b);
});

test("lines keep their signs", () => {
	assert.deepEqual(lines("a\nb\nc", "a\nx\nc"), [
		{ kind: "same", text: "a" },
		{ kind: "del", text: "b" },
		{ kind: "ins", text: "x" },
		{ kind: "same", text: "c" },
	]);
});

test("rows", () => {
	const rows = rowsOf(
		readJSON(`[
      {"path":"/amount","old":1200.00,"new":9007199254740993},
      {"path":"/lines/2/qty","old":4,"new":5},
      {"path":"/note","old":"Net 30 days","new":"Net 45 days"},
      {"path":"/tags/3","new":"priority"},
      {"path":"/tags/4","new":"late"},
      {"path":"/tags/1","old":"draft"},
      {"path":"/password","old":{"$masked":true},"new":{"$hash":"ab"}},
      {"path":"/address","old":{"city":"x","zip":"1"},"new":{"city":"y","zip":"1"}},
      {"path":"/a~1b","new":"\\u202e<b>"},
      {"path":"","old":null,"new":true},
      {"path":"/title","old":"one","new":"two"},
      {"nothing":1}, 7
    ]`),
	);
	const [amount, qty, note, tags, password, address, odd, whole, title] = rows;
	assert.equal(rows.length, 9);
	assert.deepEqual(amount, {
		is: "value",
		names: ["amount"],
		path: "/amount",
		before: { text: "1200.00", type: "number" },
		after: { text: "9007199254740993", type: "number" },
		spoken: "changed from 1200.00 to 9007199254740993",
	});
	assert.deepEqual(qty?.names, ["lines", "2", "qty"]);
	assert.equal(note?.is === "words" && note.runs.length, 4);
	assert.deepEqual(tags?.is === "list" && tags.items.map((i) => i.op + i.shown.text), ["+priority", "+late", "−draft"]);
	assert.deepEqual(tags?.names, ["tags"]);
	assert.equal(tags?.spoken, "added priority; added late; removed draft");
	assert.equal(password?.is === "value" && password.before?.type, "hidden");
	assert.equal(password?.spoken, "changed from a value that is not shown to a value that is not shown");
	assert.deepEqual(address?.is === "lines" && address.runs.map((r) => r.kind + r.text.trim()), [
		"same{",
		'del"city": "x",',
		'ins"city": "y",',
		'same"zip": "1"\n}',
	]);
	assert.deepEqual(odd?.names, ["a/b"]);
	assert.equal(odd?.is === "value" && odd.after?.text, "⟨U+202E⟩<b>");
	assert.deepEqual(whole?.names, []);
	assert.equal(title?.is, "value");
	assert.deepEqual(rowsOf(undefined), []);
	assert.deepEqual(rowsOf(readJSON('{"path":"/x"}')), []);
});

test("only texts of several words are compared word by word", () => {
	const is = (before: string, after: string): string | undefined => rowsOf(readJSON(JSON.stringify([{ path: "/x", old: before, new: after }])))[0]?.is;
	for (const [before, after] of [
		["2027-07-24", "2027-12-18"],
		["2026-07-24T10:00:00Z", "2026-07-24T11:00:00Z"],
		["inv_01m7-a", "inv_01m7-b"],
		["ada@example.com", "ada@example.org"],
		["Berlin", "Berlin, at the lake"],
		[" 7-a ", "7-b"],
	] as const)
		assert.equal(is(before, after), "value", before);
	assert.equal(is("Net 30 days", "Net 45 days"), "words");
	assert.equal(is("お支払いは三十日以内です", "お支払いは四十五日以内です"), "words");
});

test("names, layout and what did not change", () => {
	assert.deepEqual(namesOf("/a~1b/~01/"), ["a/b", "~1", ""]);
	assert.equal(pretty(readJSON('{"a":[1.10,{}],"b":"x"}')), '{\n  "a": [\n    1.10,\n    {}\n  ],\n  "b": "x"\n}');
	const state = readJSON('{"amount":1,"lines":[{"qty":1,"sku":"a"}],"note":"x","tags":[]}');
	assert.equal(unchanged(state, readJSON('[{"path":"/amount"},{"path":"/lines/0/qty"}]')), 3);
	assert.equal(unchanged(state, readJSON('[{"path":"/lines"}]')), 3);
});
