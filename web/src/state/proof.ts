// What was verified in this browser, for the rows, the drawer and the Integrity page. The verifier itself is loaded when it is first needed.
import { computed, signal } from "@preact/signals";
import { send } from "../api/client";
import type { Entry } from "../api/types";
import { lift, type Obj, readJSON } from "../json/read";
import type { Failure, Store } from "../verify/memory";
import { recall } from "../verify/memory";
import { chunks, logInfo } from "../verify/server";
import type { LogInfo, Result, Server, State, Verifier } from "../verify/verifier";
import { offline } from "./session";

/** What is known of the log of the organization that the page shows. */
export const log = signal<{ org: string; info: LogInfo | null }>({ org: "", info: null });
/** Results by id of the event. They hold as long as the page: green means proved here, now. */
export const results = signal<ReadonlyMap<string, Result>>(new Map());
/** Ids of the events that are being verified. */
export const checking = signal<ReadonlySet<string>>(new Set());
/** What was found false and nobody has acknowledged yet. */
export const failure = signal<Failure | null>(null);

/** Where the page remembers what it verified of a file: another file of that log may come at the same address. */
const page = new Map<string, string>();
const ofPage: Store = {
	getItem: (key) => page.get(key) ?? null,
	setItem: (key, value) => void page.set(key, value),
	removeItem: (key) => void page.delete(key),
};

/** Where this browser remembers; undefined where that is forbidden. */
export function shelf(): Store | undefined {
	if (offline.value) return ofPage;
	try {
		return localStorage;
	} catch {
		return undefined;
	}
}

const path = (org: string) => `/v1/organizations/${encodeURIComponent(org)}/log`;

/** The routes of a log that the verifier asks. */
function serverOf(org: string): Server {
	const get = (what: string, params = {}, signal?: AbortSignal) => send(`${path(org)}/${what}`, { org, params, ...(signal ? { signal } : {}) });
	return {
		info: async (signal) => logInfo(readJSON(await (await get("info", {}, signal)).text())),
		checkpoint: async (signal) => (await get("checkpoint", {}, signal)).text(),
		evidence: async (ask, signal) => chunks(await get("evidence", ask, signal)),
	};
}

let open: { org: string; verifier: Promise<Verifier> } | undefined;

/** The verifier of an organization's log, one for the page. */
export function verifierOf(org: string): Promise<Verifier> {
	if (open?.org !== org) {
		open = { org, verifier: import("../verify/verifier").then((m) => new m.Verifier(serverOf(org), org, shelf())) };
	}
	return open.verifier;
}

/** Asks how the log stands; what was verified of another organization's is let go. */
export async function openLog(org: string, signal?: AbortSignal): Promise<void> {
	if (log.value.org !== org) {
		log.value = { org, info: null };
		results.value = new Map();
	}
	failure.value = recall(shelf(), org)?.failure ?? null;
	const info = await serverOf(org).info(signal);
	if (log.value.org === org) log.value = { org, info };
}

/** The first entry of a file that the program found false when it opened it. */
const falseFrom = computed(() => {
	const file = offline.value;
	const first = file?.verdict === "false" ? file.findings.find((one) => one.seq !== null) : undefined;
	return first?.seq ?? Number.POSITIVE_INFINITY;
});

/** How an entry stands, for its mark. */
export function stateOf(entry: Pick<Entry, "id" | "seq">): State {
	const found = results.value.get(entry.id);
	const f = failure.value;
	if (f && f.seq >= 0 && entry.seq >= f.seq) return "failed";
	if (entry.seq >= falseFrom.value) return "failed";
	if (found) return found.state;
	const signed = log.value.info?.signedSize ?? Number.POSITIVE_INFINITY;
	return entry.seq < signed ? "unchecked" : "waiting";
}

/** Verifies entries as they are shown. Never throws: what cannot be verified says why in its result. */
export async function verify(org: string, entries: readonly Entry[], signal?: AbortSignal): Promise<void> {
	const ids = entries.map((e) => e.id);
	checking.value = new Set([...checking.value, ...ids]);
	try {
		const verifier = await verifierOf(org);
		const found = await verifier.entries(
			entries.map((e) => lift(e) as Obj),
			signal,
		);
		const all = new Map(results.value);
		for (const e of entries) {
			const r = found.get(e.seq);
			if (r) all.set(e.id, r);
		}
		if (log.value.org === org) results.value = all;
		failure.value = verifier.memory?.failure ?? null;
		if (log.value.info && [...found.values()].some((r) => r.size > (log.value.info?.signedSize ?? 0))) await openLog(org, signal);
	} catch {
		// Stopped by its caller, or the verifier could not be loaded: the rows stay as they are.
	} finally {
		const rest = new Set(checking.value);
		for (const id of ids) rest.delete(id);
		checking.value = rest;
	}
}

/** Takes the banner away in this browser. */
export async function acknowledge(org: string): Promise<void> {
	(await verifierOf(org)).acknowledge();
	failure.value = null;
}
