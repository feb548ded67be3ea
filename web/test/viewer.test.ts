import assert from "node:assert/strict";
import test from "node:test";
import { readJSON } from "../src/json/read";
import { sentenceOf, textOfParts } from "../src/sentence/render";
import { fill, messagesOf } from "../src/viewer/messages";
import { claimsOf, Tokens } from "../src/viewer/token";

const base64url = (text: string): string => btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const jwt = (claims: object): string => `e30.${base64url(JSON.stringify(claims))}.c2ln`;

test("claims", () => {
	assert.deepEqual(claimsOf(jwt({ org: "org_acme", features: ["verify", 1], exp: 20, iat: 10 })), { org: "org_acme", features: ["verify"], exp: 20, iat: 10 });
	for (const text of ["", "a", "a.b.c", "dbk_x", `e30.${base64url("[]")}.x`, "e30.%%%.x"])
		assert.deepEqual(claimsOf(text), { org: "", features: [], exp: 0, iat: 0 }, text);
});

test("a token is asked for once, and again after four fifths of its time", async () => {
	let now = 1_000_000;
	let asked = 0;
	const tokens = new Tokens(
		async () => jwt({ n: ++asked, iat: 5_000, exp: 5_600 }), // the server's clock is another
		() => now,
	);
	const [a, b] = await Promise.all([tokens.get(), tokens.get()]);
	assert.equal(a, b);
	assert.equal(asked, 1);
	now += 479_000;
	assert.equal(await tokens.get(), a);
	now += 2_000;
	assert.notEqual(await tokens.get(), a);
	assert.equal(asked, 2);
});

test("a token that the server refused is not shown again", async () => {
	let asked = 0;
	const tokens = new Tokens(
		async () => jwt({ n: ++asked, iat: 0, exp: 600 }),
		() => 0,
	);
	const first = await tokens.get();
	const second = await tokens.get(first);
	assert.notEqual(first, second);
	assert.equal(await tokens.get(first), second);
	assert.equal(asked, 2);
});

test("a host without tokens is told", async () => {
	for (const source of [async () => "  ", async () => Promise.reject(new Error("no"))]) await assert.rejects(new Tokens(source).get());
});

test("languages", () => {
	assert.equal(messagesOf("fr"), messagesOf("en"));
	assert.equal(messagesOf("de-CH"), messagesOf("DE"));
	assert.equal(fill("{n} of {m} {x}", { n: 1, m: "two" }), "1 of two {x}");
	const say = (text: string): string => textOfParts(sentenceOf(readJSON(text), {}, undefined, messagesOf("de").words));
	const event = (more: string): string =>
		`{"action":"invoice.updated","actor":{"type":"user","id":"u","name":"Grace","via":[{"type":"user","id":"a","name":"Ada"}]}${more}}`;
	assert.equal(say(event(',"targets":[{"type":"invoice","id":"42","name":"Rechnung 42"}]')), "Ada als Grace: Rechnung 42 geändert");
	assert.equal(say(event("")), "Ada als Grace: geändert");
	assert.equal(say(event(',"outcome":"denied"')), "Ada als Grace: geändert – abgelehnt");
	assert.equal(say('{"action":"user.greeted"}'), "Jemand ohne Anmeldung · user.greeted");
});
