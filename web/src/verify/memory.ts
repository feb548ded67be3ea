import type { Finding } from "./finding";

/** What this browser remembers of the log of one organization. */
export interface Memory {
	origin: string;
	/** Keys that vouch for the log. The first was taken from the server at the first visit; the others were vouched for by one before. */
	keys: { vkey: string; since: string }[];
	/** The largest checkpoint that was verified here. */
	note?: string;
	/** The newest checkpoints that were verified here, the last one first. */
	seen?: { size: number; at: string; note: string }[];
	/** Entries [from, to) were verified here one after the other, at that time. */
	checked?: { from: number; to: number; at: string };
	/** What was found false, until somebody acknowledges it. */
	failure?: Failure;
}

export interface Failure {
	findings: Finding[];
	/** The first entry that is not what it was; -1: the log as a whole. */
	seq: number;
	/** The checkpoint that it was held against. */
	note: string;
	at: string;
}

/** Where memories are kept: localStorage, or nothing where a browser forbids it. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const PREFIX = "daybook.log.";

/** The memory of an organization's log, undefined at the first visit. What cannot be read is forgotten. */
export function recall(store: Store | undefined, org: string): Memory | undefined {
	try {
		const m: unknown = JSON.parse(store?.getItem(PREFIX + org) ?? "null");
		return isMemory(m) ? m : undefined;
	} catch {
		return undefined;
	}
}

function isMemory(m: unknown): m is Memory {
	if (typeof m !== "object" || m === null) return false;
	const { origin, keys, note } = m as Partial<Memory>;
	const isKey = (k: unknown): boolean => typeof k === "object" && k !== null && typeof (k as { vkey?: unknown }).vkey === "string";
	return typeof origin === "string" && Array.isArray(keys) && keys.length > 0 && keys.every(isKey) && (note === undefined || typeof note === "string");
}

/** Keeps a memory, if the browser lets us: without room or right it lasts as long as the page. */
export function remember(store: Store | undefined, org: string, m: Memory): void {
	try {
		store?.setItem(PREFIX + org, JSON.stringify(m));
	} catch {
		// The page still holds it.
	}
}

/** Forgets what was pinned and verified: who accepts a new key begins anew. */
export function forgetLog(store: Store | undefined, org: string): void {
	try {
		store?.removeItem(PREFIX + org);
	} catch {
		// There is nothing to forget.
	}
}
