// Every text that people read, by key. The first load carries en.json; what one page alone says stands in en/PAGE.json and comes with
// that page, through its texts.ts. Another language is one chunk for the whole console: who reads English never loads it.
import { batch, signal } from "@preact/signals";
import type { Words } from "../sentence/render";
import en from "./en.json";

/** Key of a text that every page may say. */
export type Key = keyof typeof en;

/** The plural forms of a text, by the names of Intl.PluralRules. */
type Forms = { other: string } & Partial<Record<Intl.LDMLPluralRule, string>>;
export type Texts = Record<string, string | Forms>;

/** A language beside English: every text, the words of sentences, and what a refusal of the API means by its code. */
export type Language = { texts: Texts; words: Words; refusals: Record<string, string> };

/** Says the text of a key with {name} replaced by values. A text with plural forms chooses by the value `n`, which is shown as a number of the language. */
export type Say<K> = (key: K, values?: Record<string, string | number>) => string;

/** The languages by their own names, and how those beside English are loaded. */
export const languages = { en: "English", de: "Deutsch" } as const;
export type Code = keyof typeof languages;
const load: Record<Exclude<Code, "en">, () => Promise<{ default: Language }>> = { de: () => import("./de") };

/** What has been loaded in English. */
const english: Texts = { ...en };

/** What is spoken instead of English. */
const spoken = signal<Language | undefined>(undefined);

/** The language of the console, for Intl. */
export const language = signal<Code>("en");

/** The words of sentences; undefined: the English ones. */
export const words = (): Words | undefined => spoken.value?.words;

/** What a refusal means; in the server's words when the language has none of its own. */
export const refusal = (code: string, said: string): string => spoken.value?.refusals[code] ?? said;

/** The first language of the browser that the console speaks. */
export function preferred(tags: readonly string[]): Code {
	for (const tag of tags) {
		const code = tag.toLowerCase().split("-")[0];
		if (code !== undefined && Object.hasOwn(languages, code)) return code as Code;
	}
	return "en";
}

/** Speaks a language from now on. One that cannot be loaded is left alone: what was spoken stays. */
export async function speak(code: Code): Promise<void> {
	wanted = code;
	let found: Language | undefined;
	if (code !== "en") {
		try {
			found = (await load[code]()).default;
		} catch {
			return;
		}
		if (wanted !== code) return; // another was chosen while this one was on its way
	}
	batch(() => {
		spoken.value = found;
		language.value = code;
	});
	document.documentElement.lang = code;
}

let wanted: Code = "en";

/** Says the texts that every page may say. */
export const t: Say<Key> = say;

/** Says also what a page brings with it. A key that neither has does not compile. */
export function withTexts<T extends Texts>(page: T): Say<Key | keyof T> {
	Object.assign(english, page);
	return say as Say<Key | keyof T>;
}

function say(key: string, values: Record<string, string | number> = {}): string {
	const found = spoken.value?.texts[key] ?? english[key] ?? key;
	const text = typeof found === "string" ? found : pick(found, Number(values["n"] ?? 0));
	return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
		const value = values[name];
		return value === undefined ? whole : typeof value === "number" ? number(value) : value;
	});
}

/** Whether every page has a text of this key: for keys that are put together. */
export function isKey(key: string): key is Key {
	return key in en;
}

/** The writers of each language: making one takes longer than all that it will write in a page. */
const writers = new Map<string, { plural: Intl.PluralRules; number: Intl.NumberFormat }>();

function writer() {
	const of = language.value;
	let found = writers.get(of);
	if (!found) {
		found = { plural: new Intl.PluralRules(of), number: new Intl.NumberFormat(of) };
		writers.set(of, found);
	}
	return found;
}

function pick(forms: Forms, n: number): string {
	return forms[writer().plural.select(n)] ?? forms.other;
}

/** A number as the language writes it. */
export function number(n: number): string {
	return writer().number.format(n);
}
