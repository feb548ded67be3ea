import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { type Json, member, Num, type Obj, readJSON, textOf } from "../src/json/read";
import { parseTemplate, TemplateError } from "../src/sentence/parse";
import { halves, sentenceOf, textOfParts } from "../src/sentence/render";
import { shorten, visible } from "../src/sentence/visible";

function vectors(): Obj {
	return readJSON(readFileSync("../testdata/vectors/sentences.json", "utf8")) as Obj;
}

const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
const int = (value: Json | undefined): number => (value instanceof Num ? Number(value.text) : 0);

test("sentences.json: every event reads as in Go", () => {
	const cases = list(vectors().get("cases"));
	assert.ok(cases.length > 50);
	for (const c of cases) {
		const about = textOf(c, "about");
		const parts = sentenceOf(
			member(c, "event") ?? null,
			{ sentence: textOf(c, "sentence"), sentence_failure: textOf(c, "sentence_failure"), sentence_denied: textOf(c, "sentence_denied") },
			{ paths: list(member(c, "gone")).map(String), unnamed: member(c, "gone_unnamed") === true },
		);
		const want = list(member(c, "parts")).map((p) => ({ kind: textOf(p, "kind"), text: textOf(p, "text") }));
		assert.deepEqual(parts, want, about);
		assert.equal(textOfParts(parts), textOf(c, "text"), about);
		const { who, what } = halves(parts);
		assert.equal(who, textOf(c, "who"), about);
		assert.equal(textOfParts(what), textOf(c, "what"), about);
	}
});

test("sentences.json: what Go refuses is refused with the same words at the same place", () => {
	const cases = list(vectors().get("errors"));
	assert.ok(cases.length > 20);
	for (const c of cases) {
		const text = textOf(c, "sentence");
		if (member(c, "ok") === true) {
			parseTemplate(text);
			continue;
		}
		assert.throws(
			() => parseTemplate(text),
			(e) => {
				assert.ok(e instanceof TemplateError);
				const want = { code: textOf(c, "code"), pos: int(member(c, "pos")), length: int(member(c, "len")), message: textOf(c, "message") };
				assert.deepEqual({ code: e.code, pos: e.pos, length: e.length, message: e.message }, want);
				return true;
			},
			text,
		);
	}
});

test("a template that cannot be parsed does not hide the event", () => {
	const event = readJSON('{"action":"invoice.updated","actor":{"id":"usr_1"}}');
	assert.equal(textOfParts(sentenceOf(event, { sentence: "{nothing" })), "usr_1 updated");
});

test("any value is an event", () => {
	for (const text of ["null", "1", '"x"', "[]", "{}", '{"actor":1,"targets":{},"changes":[1,{"path":2}],"metadata":"x","action":5}']) {
		for (const sentence of ["", "{actor} {target} {targets} {changed} {changed:/a} {meta.a} {reason} {error.code} {action}"]) {
			assert.equal(typeof textOfParts(sentenceOf(readJSON(text), { sentence })), "string");
		}
	}
});

test("what is visible stays as it is", () => {
	for (const s of ["a\u001b[31m\u202eb\u200b", "\u0000\u009f"]) {
		assert.notEqual(visible(s), s);
		assert.equal(visible(visible(s)), visible(s));
	}
	assert.equal(shorten("x".repeat(10_000)).length, 80);
});
