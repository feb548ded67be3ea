/**
 * Checks an Ed25519 signature: with the browser's own code where it has it, else with @noble/ed25519, which is then loaded. Plain http
 * on a network has no crypto.subtle, and some browsers have no Ed25519 in theirs.
 */
export async function signatureHolds(
	publicKey: Uint8Array<ArrayBuffer>,
	message: Uint8Array<ArrayBuffer>,
	signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
	if (publicKey.length !== 32 || signature.length !== 64) return false;
	const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
	if (subtle && native !== false) {
		try {
			const key = await subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
			native = true;
			return await subtle.verify({ name: "Ed25519" }, key, signature, message);
		} catch (e) {
			// A browser that knows Ed25519 refuses a bad key with another error: that key has signed nothing.
			if (!(e instanceof DOMException && e.name === "NotSupportedError")) return false;
			native = false;
		}
	}
	const { verify } = await import("./noble");
	return verify(publicKey, message, signature);
}

/** Whether crypto.subtle knows Ed25519; undefined: not asked yet. */
let native: boolean | undefined;

/** For tests: asks again whether the browser knows Ed25519. */
export function forget(): void {
	native = undefined;
}
