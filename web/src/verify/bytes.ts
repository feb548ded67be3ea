import { sha256 as nobleSHA256 } from "@noble/hashes/sha2.js";

/** SHA-256 over the parts in a row. It is computed here and at once: an entry has twenty hashes, and a promise costs more than one. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
	return nobleSHA256(parts.length === 1 && parts[0] ? parts[0] : concat(...parts));
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
	let n = 0;
	for (const p of parts) n += p.length;
	const out = new Uint8Array(n);
	n = 0;
	for (const p of parts) {
		out.set(p, n);
		n += p.length;
	}
	return out;
}

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array<ArrayBuffer> {
	if (text.length < 64) {
		const out = new Uint8Array(text.length);
		let i = 0;
		for (; i < text.length; i++) {
			const c = text.charCodeAt(i);
			if (c >= 0x80) break;
			out[i] = c;
		}
		if (i === text.length) return out;
	}
	return encoder.encode(text);
}

/** Writes the text into bytes from a place on, where there is room for three bytes a character, and returns how many it took. */
export function utf8Into(text: string, into: Uint8Array, at: number): number {
	if (text.length < 64) {
		let i = 0;
		for (; i < text.length; i++) {
			const c = text.charCodeAt(i);
			if (c >= 0x80) break;
			into[at + i] = c;
		}
		if (i === text.length) return i;
	}
	return encoder.encodeInto(text, into.subarray(at)).written;
}

/** The bytes of an unsigned integer, most significant first. n is at most 2^53. */
export function uint(n: number, size: 2 | 4 | 8): Uint8Array {
	const out = new Uint8Array(size);
	for (let i = size - 1; i >= 0; i--) {
		out[i] = n % 256;
		n = Math.floor(n / 256);
	}
	return out;
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((x, i) => x === b[i]);
}

/** Bytewise order. */
export function compare(a: Uint8Array, b: Uint8Array): number {
	const n = Math.min(a.length, b.length);
	for (let i = 0; i < n; i++) {
		const d = (a[i] as number) - (b[i] as number);
		if (d !== 0) return d;
	}
	return a.length - b.length;
}

export function hex(bytes: Uint8Array): string {
	let out = "";
	for (const b of bytes) out += b.toString(16).padStart(2, "0");
	return out;
}

export function toBase64(bytes: Uint8Array): string {
	let text = "";
	for (const b of bytes) text += String.fromCharCode(b);
	return btoa(text);
}

/** The bytes of canonical, padded base64, or undefined: any other spelling is refused, for two spellings of one value are two values. */
export function fromBase64(text: string, size?: number): Uint8Array<ArrayBuffer> | undefined {
	if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
	let raw: string;
	try {
		raw = atob(text);
	} catch {
		return undefined;
	}
	if (btoa(raw) !== text || (size !== undefined && raw.length !== size)) return undefined;
	return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}
