// What was verified in this browser, for the rows, the drawer and the Integrity page. The verifier itself is loaded when it is first needed.
import { computed, signal } from "@preact/signals";
import { ask, send } from "../api/client";
import type { Entry } from "../api/types";
import { lift, type Obj, readJSON } from "../json/read";
import { checkOf } from "../verify/finding";
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
/** What this browser found false. */
export const failure = signal<Failure | null>(null);

/** Something false about the log, as the server keeps it. */
export type Alarm = {
	check: string;
	finding: string;
	seq: number;
	size?: number;
	want?: string;
	got?: string;
	detail: string;
	found_at: string;
	by?: { type: string; id: string };
	acknowledged?: { by: { type: string; id: string }; at: string; reason: string };
};

/** What the server knows to be false of the log, and who has acknowledged it. */
export const known = signal<Alarm[]>([]);

/** Those that concern most of the log first. */
const worst = (all: Alarm[]) => all.sort((a, b) => (a.seq < 0 ? 1 : b.seq < 0 ? -1 : a.seq - b.seq));

/** What nobody has acknowledged yet: the banner over every page of the organization. */
export const alarms = computed<Alarm[]>(() => {
	const open = known.value.filter((a) => !a.acknowledged);
	const f = failure.value;
	const first = f?.findings[0];
	if (!f || !first || known.value.some((a) => a.finding === first.code && a.seq === f.seq && a.want === first.want && a.got === first.got)) return worst(open);
	const { code, message, want, got } = first;
	return worst([
		{ check: checkOf(code), finding: code, seq: f.seq, ...(want ? { want } : {}), ...(got ? { got } : {}), detail: message, found_at: f.at },
		...open,
	]);
});

/** The first entry from which on nothing is what it was, by this browser, the server, or the program that opened a file; infinite: none is known. */
const falseFrom = computed(() => {
	const file = offline.value;
	const found = file?.verdict === "false" ? (file.findings.find((one) => one.seq !== null)?.seq ?? -1) : -1;
	const seqs = [failure.value?.seq ?? -1, found, ...alarms.value.map((a) => a.seq)];
	return Math.min(...seqs.map((seq) => (seq >= 0 ? seq : Number.POSITIVE_INFINITY)));
});

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
		known.value = [];
	}
	failure.value = recall(shelf(), org)?.failure ?? null;
	const [info, found] = await Promise.all([
		serverOf(org).info(signal),
		ask<{ failures: Alarm[] }>(`${path(org)}/failures`, { org, ...(signal ? { signal } : {}) }),
	]);
	if (log.value.org !== org) return;
	log.value = { org, info };
	known.value = found.failures;
}

/** How an entry stands, for its mark. Asked: the log has not said yet how far it is signed, so that nothing is claimed. */
export function stateOf(entry: Pick<Entry, "id" | "seq">): State | "asked" {
	const found = results.value.get(entry.id);
	if (entry.seq >= falseFrom.value) return "failed";
	if (found) return found.state;
	const info = log.value.info;
	if (!info) return "asked";
	return entry.seq < info.signedSize ? "unchecked" : "waiting";
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
		if (log.value.info && [...found.values()].some((r) => r.state === "failed" || r.size > (log.value.info?.signedSize ?? 0))) await openLog(org, signal);
	} catch {
		// Stopped by its caller, or the verifier could not be loaded: the rows stay as they are.
	} finally {
		const rest = new Set(checking.value);
		for (const id of ids) rest.delete(id);
		checking.value = rest;
	}
}
