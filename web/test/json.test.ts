import assert from "node:assert/strict";
import test from "node:test";
import { compact, isObject, Num, parseJSON, pretty, wire } from "../src/api/json";
import { Fault, readJSON, writeJSON } from "../src/json/read";

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

test("no number loses a digit, whoever parses it", () => {
	const digits = (n: number) => Array.from({ length: n }, () => Math.floor(Math.random() * 10)).join("");
	const lead = () => String(1 + Math.floor(Math.random() * 9));
	const forms = [
		() => lead() + digits(Math.floor(Math.random() * 20)),
		() => `0.${digits(1 + Math.floor(Math.random() * 20))}`,
		() => `${lead()}${digits(Math.floor(Math.random() * 12))}.${digits(1 + Math.floor(Math.random() * 8))}`,
		() => `${lead()}e${digits(1)}`,
		() => `${lead()}.${digits(2)}E-${digits(2)}`,
		() => `0.${"0".repeat(Math.floor(Math.random() * 9))}${lead()}`,
		() => "0",
		() => "0.0",
	];
	for (let i = 0; i < 4000; i++) {
		const form = forms[i % forms.length] as () => string;
		const number = (Math.random() < 0.3 ? "-" : "") + form();
		for (const text of [number, `[${number}]`, `{"a":${number}}`, `[1, ${number} ]`, `{"a":1,"b":${number},"c":"2"}`]) {
			assert.equal(writeJSON(wire(parseJSON(text))), writeJSON(readJSON(text)), text);
		}
	}
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
