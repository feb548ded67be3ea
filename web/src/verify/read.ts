import { type Json, Num, type Obj } from "../json/read";
import { fromBase64 } from "./bytes";
import { malformed, unsupported } from "./finding";

/** Readers have the integers up to here exactly. */
export const MAX_INT = 2 ** 53;

/** The object with all required members and no others than the optional ones. */
export function members(value: Json | undefined, required: readonly string[], optional: readonly string[] = []): Obj {
	if (!(value instanceof Map)) throw malformed("an object is missing");
	for (const name of value.keys()) {
		if (!required.includes(name) && !optional.includes(name)) throw unsupported(`this version does not know the member ${JSON.stringify(name)}`);
	}
	for (const name of required) {
		if (!value.has(name)) throw malformed(`the member ${JSON.stringify(name)} is missing`);
	}
	return value;
}

export function text(value: Json | undefined): string {
	if (typeof value !== "string") throw malformed("a string is missing");
	return value;
}

/** A plain decimal. */
export function decimal(digits: string, most = MAX_INT): number | undefined {
	if (!/^(0|[1-9][0-9]{0,15})$/.test(digits)) return undefined;
	const n = Number(digits);
	// 2^53 + 1 reads as 2^53: the digits tell them apart.
	return n <= most && String(n) === digits ? n : undefined;
}

export function integer(value: Json | undefined, most = MAX_INT): number {
	const n = value instanceof Num ? decimal(value.text, most) : undefined;
	if (n === undefined) throw malformed(`a whole number up to ${most} is missing`);
	return n;
}

export function base64(value: Json | undefined, size?: number): Uint8Array<ArrayBuffer> {
	const bytes = fromBase64(text(value), size);
	if (!bytes) throw malformed("base64 is not canonical, or of the wrong length");
	return bytes;
}

export function hashes(value: Json | undefined): Uint8Array[] {
	if (!Array.isArray(value)) throw malformed("a list of hashes is missing");
	if (value.length > 64 + 1) throw malformed("a proof has too many hashes");
	return value.map((h) => base64(h, 32));
}
