// The texts: each is said by somebody, and stands where those who say it can load it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

type Texts = Record<string, string | Record<string, string>>;

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
