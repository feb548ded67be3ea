// How an entry reads in one line.
import type { Actor, Entry, Target } from "../../api/types";

/** Text with control and bidi characters made visible: what events say must not steer the page. */
export function visible(text: string): string {
	return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => {
		const code = c.charCodeAt(0);
		if (code < 0x20) return String.fromCharCode(0x2400 + code);
		if (code === 0x7f) return "\u2421";
		return `\u27e8${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
	});
}

function short(text: string): string {
	const points = Array.from(text);
	return visible(points.length > 80 ? `${points.slice(0, 80).join("")}…` : text);
}

/** Name, else e-mail, else id. */
export function nameOf(a: Actor | undefined): string {
	return short(a?.name || a?.email || a?.id || "");
}

/** Who did it: the person behind an impersonation first. */
export function whoDid(e: Entry): string {
	const name = nameOf(e.actor);
	const via = e.actor?.via?.[0];
	if (!via) return name;
	return via.type === "user" ? `${nameOf(via)} as ${name}` : `${name} via ${nameOf(via)}`;
}

/** Name, else type and id. */
export function targetOf(target: Target): string {
	return short(target.name || `${target.type} ${target.id}`);
}

/** What was done to what. */
export function whatDone(e: Entry): string {
	const target = e.targets?.[0];
	const verb = e.action.slice(e.action.lastIndexOf(".") + 1).replace(/_/g, " ");
	const reads = e.action.includes(".") && /(ed|sent|read|left|paid|made|set|put|built|sold|lost)$/.test(verb);
	if (reads) return `${short(verb)}${target ? ` ${targetOf(target)}` : ""}`;
	return `${short(e.action)}${target ? ` · ${targetOf(target)}` : ""}`;
}
