import { type Json, Num } from "../json/read";
import { shorten } from "./visible";

/** What stands for a value that is erased, or hidden from the reader. */
export const GONE = "▒";

/** One side of a change: absent, masked or hashed, or JSON. The wire form is that of package daybook's Value. */
export type Side = { is: "absent" } | { is: "masked" } | { is: "hashed"; tag: string } | { is: "json"; value: Json };

/** Reads one side of a change from the member old or new. */
export function readSide(wire: Json | undefined): Side {
	if (wire === undefined) return { is: "absent" };
	if (wire instanceof Map && wire.size === 1) {
		const [name, value] = [...wire][0] as [string, Json];
		if (name === "$masked") return { is: "masked" };
		if (name === "$hash") return { is: "hashed", tag: typeof value === "string" ? value : "" };
		if (name === "$json") return { is: "json", value };
	}
	return { is: "json", value: wire };
}

/** A value on one line: a string without its quotes, everything else compact, numbers as they were written. */
export function plainText(value: Json): string {
	return typeof value === "string" ? value : compact(value);
}

function compact(value: Json): string {
	if (value === null || typeof value === "boolean") return String(value);
	if (typeof value === "string") return quote(value);
	if (value instanceof Num) return value.text;
	if (Array.isArray(value)) return `[${value.map(compact).join(",")}]`;
	return `{${[...value].map(([name, v]) => `${quote(name)}:${compact(v)}`).join(",")}}`;
}

function quote(text: string): string {
	return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** One side of a change in a sentence. */
export function sideText(side: Side): string {
	if (side.is === "absent") return "–";
	if (side.is !== "json") return GONE;
	return side.value === "" ? '""' : shorten(plainText(side.value));
}
