// The texts: each is said by somebody, and stands where those who say it can load it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import de from "../src/messages/de";
import { type Language, language, languages, number, preferred, refusal, speak, type Texts, t } from "../src/messages/messages";
import german from "../src/sentence/words.de.json";
import english from "../src/sentence/words.json";
import { shortTime } from "../src/ui/time";

/** Every language beside English. */
const others: Record<string, Language> = { de };

/** The texts of a language by the page that says them; "" are those of every page. */
function textsOf(language: string): Map<string, Texts> {
	const read = (path: string): Texts => JSON.parse(readFileSync(path, "utf8")) as Texts;
	const all = new Map([["", read(`src/messages/${language}.json`)]]);
	for (const file of readdirSync(`src/messages/${language}`)) all.set(file.replace(".json", ""), read(`src/messages/${language}/${file}`));
	return all;
}

/** Every source file below a folder, as one text. */
function sources(folder: string): string {
	return readdirSync(folder)
		.map((name) => (/\.tsx?$/.test(name) ? readFileSync(`${folder}/${name}`, "utf8") : name.includes(".") ? "" : sources(`${folder}/${name}`)))
		.join("\n");
}

/** Whether a source names a key: whole, or with something put in. */
function says(source: string): (key: string) => boolean {
	const whole = new Set([...source.matchAll(/"([\w.-]+)"/g)].map((m) => m[1]));
	const patterns = [...source.matchAll(/`([a-z][\w.-]*\.)\$\{[^}]+\}([\w.-]*)`/g)].map((m) => [m[1] ?? "", m[2] ?? ""] as const);
	return (key) => whole.has(key) || patterns.some(([before, after]) => key.startsWith(before) && key.endsWith(after) && key.length > before.length);
}

test("every text is said where it is loaded, and no key stands twice", () => {
	const seen = new Set<string>();
	for (const [page, texts] of textsOf("en")) {
		const said = says(sources(page ? `src/pages/${page}` : "src"));
		for (const key of Object.keys(texts)) {
			assert.ok(said(key), `nobody says ${key} of ${page || "every page"}`);
			assert.ok(!seen.has(key), `${key} stands twice`);
			seen.add(key);
		}
	}
});

test("a page brings the texts of its own name", () => {
	for (const page of textsOf("en").keys()) {
		if (page) assert.match(readFileSync(`src/pages/${page}/texts.ts`, "utf8"), new RegExp(`"../../messages/en/${page}\\.json"`));
	}
});

/** The {names} in a text. */
const names = (text: string): string =>
	Array.from(new Set(Array.from(text.matchAll(/\{[\w.]+\}/g), (m) => m[0])))
		.sort()
		.join(" ");

for (const [code, spoken] of Object.entries(others)) {
	test(`${code} says everything that English says, with the same values in it and every plural form`, () => {
		const english = textsOf("en");
		const all: string[] = [];
		const theirs = textsOf(code);
		assert.deepEqual(Array.from(theirs.keys()).sort(), Array.from(english.keys()).sort());
		for (const [page, texts] of english) {
			const own = theirs.get(page) ?? {};
			assert.deepEqual(Object.keys(own), Object.keys(texts), `the keys of ${page || "every page"}, in this order`);
			for (const [key, text] of Object.entries(texts)) {
				const said = own[key] ?? "";
				all.push(key);
				assert.deepEqual(spoken.texts[key], said, `${key} is not in ${code}.ts`);
				assert.equal(typeof said, typeof text, key);
				const forms = typeof said === "string" ? [said] : [...Object.values(said), said.other];
				for (const form of forms) {
					assert.ok(form.trim(), `${key} is empty`);
					const want = names(typeof text === "string" ? text : text.other);
					assert.ok(names(form) === want || (form !== forms.at(-1) && names(`${form}{n}`) === want), `${key}: ${form}`); // "once" needs no {n}
				}
				if (typeof said !== "string") assert.deepEqual(Object.keys(said).sort(), new Intl.PluralRules(code).resolvedOptions().pluralCategories.sort(), key);
			}
		}
		assert.deepEqual(Object.keys(spoken.texts).sort(), all.sort(), "nothing more");
	});
}

test("English has its plural forms, and they hold the same values", () => {
	for (const texts of textsOf("en").values())
		for (const [key, text] of Object.entries(texts)) {
			if (typeof text === "string") continue;
			assert.deepEqual(Object.keys(text).sort(), ["one", "other"], key);
		}
});

test("a language translates refusals that there are", () => {
	const page = readFileSync("../docs/reference/errors.md", "utf8") + readFileSync("../docs/reference/query-language.md", "utf8");
	for (const { refusals } of Object.values(others))
		for (const code of Object.keys(refusals)) assert.ok(code === "network" || page.includes(`\`${code.replace("query.", "")}\``), code);
});

test("German has a participle for every verb", () => {
	assert.deepEqual(Object.keys(german.participles), english.verbs);
});

test("the language is the browser's first that is spoken", () => {
	assert.deepEqual(Object.keys(languages).sort(), ["en", ...Object.keys(others)].sort());
	assert.equal(preferred(["fr-FR", "de-CH", "en"]), "de");
	assert.equal(preferred(["EN-us", "de"]), "en");
	assert.equal(preferred(["constructor", "fr"]), "en");
	assert.equal(preferred([]), "en");
});

test("another language is spoken with its numbers and times", async () => {
	const page = { documentElement: { lang: "" } };
	Object.assign(globalThis, { document: page });
	const say = (): string[] => [t("events.count", { n: 1 }), t("events.count", { n: 1234 }), number(1.5), shortTime("2020-03-01T10:00:00Z", "UTC")];
	assert.deepEqual(say(), ["1 event", "1,234 events", "1.5", "01 Mar 2020 10:00:00"]);
	await speak("de");
	assert.deepEqual(say(), ["1 Ereignis", "1.234 Ereignisse", "1,5", "01. März 2020 10:00:00"]);
	assert.equal(page.documentElement.lang, "de");
	assert.equal(language.value, "de");
	assert.equal(refusal("not_found", "…"), "Das gibt es nicht, oder es gehört jemand anderem.");
	assert.equal(refusal("exists", "there is one"), "there is one");
	await Promise.all([speak("de"), speak("en")]); // the last one chosen wins
	assert.deepEqual([language.value, t("close"), page.documentElement.lang], ["en", "Close", "en"]);
});
