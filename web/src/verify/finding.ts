/** What was found, in the words of package verify: docs/reference/integrity.md lists them. */
export type Code =
	// Something is false.
	| "signature_invalid"
	| "header_mismatch"
	| "malformed"
	| "position_mismatch"
	| "leaf_mismatch"
	| "root_mismatch"
	| "id_mismatch"
	| "proof_invalid"
	| "time_order"
	| "unauthorised_removal"
	| "control_withheld"
	| "hold_violated"
	| "fork"
	| "rollback"
	| "footer_mismatch"
	| "content_mismatch"
	// Something is missing.
	| "unsupported"
	| "truncated"
	| "key_not_pinned"
	| "key_unknown"
	| "epoch_changed"
	| "proof_missing"
	| "stale"
	| "unreachable";

const missing = new Set<Code>(["unsupported", "truncated", "key_not_pinned", "key_unknown", "epoch_changed", "proof_missing", "stale", "unreachable"]);

/** Whether the finding says that something is false; else evidence or trust is missing and nothing false was found. */
export function isFalse(code: Code): boolean {
	return !missing.has(code);
}

export interface Finding {
	code: Code;
	message: string;
	/** The entry that is meant. */
	seq?: number;
	/** Of a bundle, from 1. */
	line?: number;
	/** What was expected, and what was there, in base64, where two hashes differ. */
	want?: string;
	got?: string;
}

/** A fault in evidence. It ends the reading of a line, or of the whole with stop. */
export class Bad extends Error {
	constructor(
		readonly code: Code,
		message: string,
		readonly stop = false,
	) {
		super(message);
	}
}

export function malformed(message: string): Bad {
	return new Bad("malformed", message);
}

export function unsupported(message: string): Bad {
	return new Bad("unsupported", message, true);
}

/** 0: proved. 6: something is false. 7: nothing false was found, but something is missing. */
export function exitOf(findings: readonly Finding[]): 0 | 6 | 7 {
	if (findings.some((f) => isFalse(f.code))) return 6;
	return findings.length > 0 ? 7 : 0;
}
