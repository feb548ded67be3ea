// What a person chose in this browser. Only looks, never a part of a query: that is in the URL.
import { effect, signal } from "@preact/signals";
import { preferred, speak } from "../messages/messages";

/** A signal that outlives the page; a value that is not among allowed is forgotten. */
function kept<T extends string>(name: string, first: T, allowed: readonly T[]): ReturnType<typeof signal<T>> {
	const key = `daybook.${name}`;
	let start = first;
	try {
		const found = localStorage.getItem(key);
		start = allowed.find((a) => a === found) ?? first;
	} catch {
		// Storage may be forbidden: the choice then lasts as long as the page.
	}
	const s = signal<T>(start);
	effect(() => {
		const value = s.value;
		try {
			if (value === first) {
				localStorage.removeItem(key);
			} else {
				localStorage.setItem(key, value);
			}
		} catch {
			// as above
		}
	});
	return s;
}

/** auto follows the system. */
export const theme = kept("theme", "auto", ["auto", "light", "dark"]);
/** Whether single keys act (WCAG 2.1.4). */
export const shortcuts = kept("shortcuts", "on", ["on", "off"]);
/** Height of the rows. */
export const density = kept("density", "normal", ["compact", "normal", "comfortable"]);
/** How lists are shown: table is for readers that the virtual list does not serve. */
export const lists = kept("lists", "scroll", ["scroll", "table"]);
/** The language; auto is the browser's. */
export const chosenLanguage = kept("language", "auto", ["auto", "en", "de"]);

/** Speaks what was chosen. Resolves when the texts are there, so that the first paint may wait for them. */
export function speakChosen(): Promise<void> {
	const chosen = chosenLanguage.value;
	return speak(chosen === "en" || chosen === "de" ? chosen : preferred(navigator.languages));
}

effect(() => {
	const root = document.documentElement;
	if (theme.value === "auto") {
		delete root.dataset["theme"];
	} else {
		root.dataset["theme"] = theme.value;
	}
	if (density.value === "normal") {
		delete root.dataset["density"];
	} else {
		root.dataset["density"] = density.value;
	}
});
