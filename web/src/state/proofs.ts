// What is known of the proof of each entry on the page. Nothing is proved until this browser has checked it.
import { signal } from "@preact/signals";
import { evidenceOf } from "../api/evidence";
import { wire } from "../api/json";
import type { Obj } from "../json/read";
import type { Result, Verifier } from "../verify/verifier";

/** waiting: in no checkpoint yet · unchecked: in one, not checked here · verified, failed: checked here · unknown: cannot be checked. */
export type ProofState = Result["state"];

/** Checks by organization and seq, as long as the page lives. */
export const checked = signal<ReadonlyMap<string, Result>>(new Map());

const verifiers = new Map<string, Promise<Verifier>>();

/** The verifier of an organization's log; one, so that its memory is one. Its code is a chunk of its own. */
export function verifierOf(org: string): Promise<Verifier> {
	let found = verifiers.get(org);
	if (!found) {
		found = import("../verify/verifier").then((m) => new m.Verifier(evidenceOf(org), org, storage()));
		verifiers.set(org, found);
	}
	return found;
}

function storage(): Storage | undefined {
	try {
		return window.localStorage;
	} catch {
		return undefined; // forbidden: then every visit is the first
	}
}

/** Verifies entries as the page shows them, and notes what was found. It throws only when the code cannot be loaded. */
export async function verifyEntries(org: string, entries: readonly object[]): Promise<void> {
	const verifier = await verifierOf(org);
	const results = await verifier.entries(entries.map((e) => wire(e) as Obj));
	const all = new Map(checked.value);
	for (const [seq, result] of results) all.set(`${org} ${seq}`, result);
	checked.value = all;
}

/** What a check of this entry found; undefined: it was not checked. */
export function checkOf(org: string, seq: number): Result | undefined {
	return checked.value.get(`${org} ${seq}`);
}

/** The proof state of an entry; size is that of the newest checkpoint, -1 when there is none. */
export function proofOf(org: string, entry: { seq: number }, size: number): ProofState {
	return checkOf(org, entry.seq)?.state ?? (entry.seq < size ? "unchecked" : "waiting");
}
