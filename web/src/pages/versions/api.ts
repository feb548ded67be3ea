// The routes of versions.
import { api, ask } from "../../api/client";
import { isObject, type Json } from "../../api/json";
import type { Actor, Change } from "../../api/types";

/** A state of a thing after an event. */
export type Version = {
	version: number;
	id: string;
	seq: number;
	action: string;
	occurred_at: string;
	actor: Actor;
	changes: number;
	snapshot: boolean;
	deleted: boolean;
	exact: boolean;
};

/** Newest first. reason: why the history is not whole. */
export type Versions = {
	versions: Version[];
	exact: boolean;
	reason?: "no_creation" | "gap" | "erased" | "too_many" | "left_out";
	compared?: { a: number; b: number; changes: Change[] };
};

/** masked: pointers of values that nobody may read. */
export type State = { version: Version; state: Json; masked: string[] };

/** event is what to record once the state is applied, without its actor. */
export type Plan = {
	version: number;
	current: number;
	changes: Change[];
	state: Json;
	masked: string[];
	exact: boolean;
	event: { action: string; [name: string]: Json };
};

/** The thing whose versions these are. */
export type Thing = { org: string; type: string; id: string };

/** Changes between states say of a masked value, literally, that it is masked; an event says it as such. Returns them as an event would. */
export function asRecorded(changes: Change[]): Change[] {
	const side = (value: Json): Json => {
		const inner = isObject(value) && Object.keys(value).length === 1 ? value["$json"] : undefined;
		return isObject(inner) && Object.keys(inner).length === 1 && ("$masked" in inner || "$hash" in inner) ? inner : value;
	};
	return changes.map((c) => ({
		path: c.path,
		...(c.old === undefined ? {} : { old: side(c.old) }),
		...(c.new === undefined ? {} : { new: side(c.new) }),
	}));
}

const path = (of: Thing, rest = "") => `/v1/targets/${encodeURIComponent(of.type)}/${encodeURIComponent(of.id)}/versions${rest}`;

export const listVersions = (of: Thing, pair: { a?: string; b?: string }, signal: AbortSignal): Promise<Versions> =>
	ask<Versions>(path(of), { org: of.org, params: pair, signal });

export const getState = (of: Thing, version: string | number, signal?: AbortSignal): Promise<State> =>
	ask<State>(path(of, `/${encodeURIComponent(version)}`), { org: of.org, ...(signal ? { signal } : {}) });

export const getPlan = (of: Thing, version: string, signal: AbortSignal): Promise<Plan> =>
	ask<Plan>(path(of, `/${encodeURIComponent(version)}/restore-plan`), { org: of.org, signal });

/** Records that the plan was carried out. A second request with the same key records nothing more. */
export const recordRestore = (org: string, plan: Plan, actor: Actor, reason: string, key: string): Promise<void> =>
	ask<void>("/v1/events", { org, body: { ...plan.event, actor, ...(reason ? { reason } : {}) }, headers: { "Idempotency-Key": key } });

/** The name that the newest event knew the thing by; "" when it had none. */
export async function nameOf(of: Thing, q: string, signal: AbortSignal): Promise<string> {
	const page = await api.events(of.org, { q, limit: 1 }, signal);
	return page.entries[0]?.targets?.find((one) => one.type === of.type && one.id === of.id)?.name ?? "";
}
