import { sha256 } from "@noble/hashes/sha2.js";

/** SHA-256 over what is added. */
export class Digest {
	private readonly state = sha256.create();

	add(bytes: Uint8Array): void {
		this.state.update(bytes);
	}

	/** Of what was added so far; it may go on. */
	sum(): Uint8Array {
		return this.state.clone().digest();
	}
}
