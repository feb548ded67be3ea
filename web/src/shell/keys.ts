// Single-key shortcuts: never in inputs, never with a modifier, and off when the person says so (WCAG 2.1.4).
import { useEffect, useRef } from "preact/hooks";
import { shortcuts } from "../state/prefs";

/** Keys by name ("j", "?", "Escape") or as two keys in a row ("g e"). A callback that returns false leaves the key to others. */
export type KeyMap = Record<string, (event: KeyboardEvent) => boolean | void>;

let first = "";
let firstAt = 0;

/** Whether keys belong to what has the focus. */
function typing(target: EventTarget | null): boolean {
	if (!(target instanceof HTMLElement)) return false;
	return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) || target.closest("dialog[open].dialog,[popover]") !== null;
}

/** Listens while the component is mounted. */
export function useKeys(map: KeyMap): void {
	const current = useRef(map);
	current.current = map;
	useEffect(() => {
		const listen = (event: KeyboardEvent) => {
			if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
			if (shortcuts.value === "off" && event.key.length === 1) return;
			const pair = first === "g" && event.timeStamp - firstAt < 1500 ? `g ${event.key}` : event.key;
			const run = current.current[pair];
			if (run) {
				if (run(event) !== false) event.preventDefault();
			}
		};
		document.addEventListener("keydown", listen);
		return () => document.removeEventListener("keydown", listen);
	}, []);
}

if (typeof document !== "undefined") {
	// After every listener of a page has seen the key: it may be the first of a pair.
	window.addEventListener("keydown", (event) => {
		first = event.key;
		firstAt = event.timeStamp;
	});
}
