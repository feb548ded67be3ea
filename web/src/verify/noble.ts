import * as ed from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";

ed.hashes.sha512 = sha512;

/** Checks an Ed25519 signature without the browser's help, as strictly as RFC 8032 and Go do. */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
	try {
		return ed.verify(signature, message, publicKey, { zip215: false });
	} catch {
		return false; // not a point, or not a signature
	}
}
