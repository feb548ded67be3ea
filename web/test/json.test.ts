import assert from "node:assert/strict";
import test from "node:test";
import { compact, Digits, isObject, parseJSON, pretty } from "../src/api/json";

test("digits are kept as they were said", () => {
	const text = '{"big":9007199254740993,"money":1.10,"plain":42,"neg":-0.5,"exp":1E400,"list":[1.0,{"a":null}]}';
	const value = parseJSON(text);
	assert(isObject(value));
	assert(value["big"] instanceof Digits);
	assert.equal(String(value["big"]), "9007199254740993");
	assert.equal(String(value["money"]), "1.10");
	assert.equal(value["plain"], 42);
	assert.equal(compact(value), text);
	assert.match(pretty(value), /"exp": 1E400/);
});

test("a Digits is no object", () => {
	assert.equal(isObject(new Digits("1.0")), false);
	assert.equal(pretty([]), "[]");
	assert.equal(pretty({}), "{}");
});

test("what JSON.parse reads is read the same", () => {
	for (const text of ['"a\\\\\\"b\\u0041"', " [ 1 , 2 ] ", "{}", "[]", '{"__proto__":{"x":1},"a":{"b":[true,false,null,"\\\\"]}}', "-0.5"]) {
		assert.deepEqual(JSON.stringify(parseJSON(text)), JSON.stringify(JSON.parse(text)), text);
	}
	assert.equal(Object.getPrototypeOf(parseJSON('{"__proto__":{"x":1}}')), Object.prototype);
});

test("what JSON.parse refuses is refused", () => {
	for (const text of ["", "{", "[1,]", '{"a":1,}', "[1 2]", '"', '"\\', "01", "1.", "+1", "nul", "{} {}", '{"a"}', "'a'", "[".repeat(5000)]) {
		assert.throws(
			() => JSON.parse(text),
			(error) => error instanceof SyntaxError,
		);
		assert.throws(
			() => parseJSON(text),
			(error) => error instanceof SyntaxError,
			text,
		);
	}
});

test("broken JSON is refused", () => {
	assert.throws(
		() => parseJSON("{"),
		(error) => error instanceof SyntaxError,
	);
});
