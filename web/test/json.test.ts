import assert from "node:assert/strict";
import test from "node:test";
import { compact, isObject, Num, parseJSON, pretty, wire } from "../src/api/json";
import { Fault, writeJSON } from "../src/json/read";

test("digits are kept as they were said", () => {
	const text = '{"big":9007199254740993,"money":1.10,"plain":42,"neg":-0.5,"exp":1E400,"list":[1.0,{"a":null}]}';
	const value = parseJSON(text);
	assert(isObject(value));
	assert(value["big"] instanceof Num);
	assert.equal(value["big"].text, "9007199254740993");
	assert.equal(value["plain"], 42);
	assert.equal(compact(value), text);
	assert.match(pretty(value), /"exp": 1E400/);
	assert.equal(writeJSON(wire(value)), text);
});

test("a Num is no object, and a member may be called __proto__", () => {
	assert.equal(isObject(new Num("1.0")), false);
	assert.equal(pretty([]), "[]");
	assert.equal(pretty({}), "{}");
	const value = parseJSON('{"__proto__":{"x":1}}');
	assert(isObject(value));
	assert.equal(Object.getPrototypeOf(value), Object.prototype);
	assert.deepEqual(Object.keys(value), ["__proto__"]);
});

test("broken JSON is refused", () => {
	for (const text of ["", "{", "[1,]", '{"a":1,}', "[1 2]", '"', "01", "{} {}"]) {
		assert.throws(
			() => parseJSON(text),
			(error) => error instanceof Fault,
			text,
		);
	}
});
