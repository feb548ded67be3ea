type Child = Node | string | false | null | undefined;

/**
 * An element with attributes and children. A text becomes a text node, never markup; a function is a listener of its name; true is an
 * attribute without a value, false and undefined none.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
	tag: K,
	attributes: Record<string, string | boolean | undefined | ((e: Event) => void)> = {},
	...children: Child[]
): HTMLElementTagNameMap[K] {
	const e = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") e.addEventListener(name, value);
		else if (value === true) e.setAttribute(name, "");
		else if (typeof value === "string") e.setAttribute(name, value);
	}
	e.append(...children.filter((c) => c !== false && c !== null && c !== undefined));
	return e;
}
