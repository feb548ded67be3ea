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
	| "store_damaged"
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

/** The check that a finding is about: what people are told failed. */
export type Check = "leaf" | "inclusion" | "signature" | "consistency";

const checks: Partial<Record<Code, Check>> = {
	signature_invalid: "signature",
	key_not_pinned: "signature",
	key_unknown: "signature",
	epoch_changed: "signature",
	header_mismatch: "signature",
	fork: "consistency",
	rollback: "consistency",
	proof_missing: "consistency",
	leaf_mismatch: "leaf",
	id_mismatch: "leaf",
	content_mismatch: "leaf",
	unauthorised_removal: "leaf",
	control_withheld: "leaf",
	hold_violated: "leaf",
};

export function checkOf(code: Code): Check {
	return checks[code] ?? "inclusion";
}

/** What kept evidence from coming, as a finding. A server that says that its own store is damaged is not out of reach: something is false. */
export function faultOf(e: unknown): Finding {
	const { code, damage, message } = e as { code?: unknown; damage?: { from?: number | null } | null; message?: unknown };
	if (e instanceof Bad) return { code: e.code, message: e.message };
	const text = typeof message === "string" ? message : String(e);
	if (code !== "store_damaged") return { code: "unreachable", message: text };
	const seq = damage?.from;
	return { code, message: text, ...(typeof seq === "number" ? { seq } : {}) };
}
