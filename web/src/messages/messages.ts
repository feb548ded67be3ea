// Every text that people read, by key. The first load carries en.json; what one page alone says stands in en/PAGE.json and comes with
// that page, through its texts.ts.
import { signal } from "@preact/signals";
import en from "./en.json";

/** Key of a text that every page may say. */
export type Key = keyof typeof en;

type Plural = { one: string; other: string };
type Texts = Record<string, string | Plural>;

/** Says the text of a key with {name} replaced by values. A text with plural forms chooses by the value `n`, which is shown as a number of the language. */
export type Say<K> = (key: K, values?: Record<string, string | number>) => string;

/** What has been loaded in English. */
const english: Texts = { ...en };

/** The language of the console, for Intl. */
export const language = signal<string>("en");

/** Says the texts that every page may say. */
export const t: Say<Key> = say;

/** Says also what a page brings with it. A key that neither has does not compile. */
export function withTexts<T extends Texts>(page: T): Say<Key | keyof T> {
	Object.assign(english, page);
	return say as Say<Key | keyof T>;
}

function say(key: string, values: Record<string, string | number> = {}): string {
	const found = english[key] ?? key;
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

function pick(forms: Plural, n: number): string {
	return new Intl.PluralRules(language.value).select(n) === "one" ? forms.one : forms.other;
}

/** A number as the language writes it. */
export function number(n: number): string {
	return new Intl.NumberFormat(language.value).format(n);
}
