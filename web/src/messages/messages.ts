// Every text that people read, by key. English is in the first load; another language is its own chunk.
import { signal } from "@preact/signals";
import en from "./en.json";

/** Key of a text. */
export type Key = keyof typeof en;

type Plural = { one: string; other: string };
type Texts = Record<string, string | Plural>;

const texts = signal<Texts>(en);

/** The language of the console, for Intl. */
export const language = signal<string>("en");

/** The text of key with {name} replaced by values. A text with plural forms chooses by the value `n`, which is shown as a number of the language. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
	const found = texts.value[key] ?? (en as Texts)[key] ?? key;
	const text = typeof found === "string" ? found : pick(found, Number(values["n"] ?? 0));
	return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
		const value = values[name];
		return value === undefined ? whole : typeof value === "number" ? number(value) : value;
	});
}

/** Whether some text has this key: for keys that are put together. */
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
