// The routes of retention, holds and erasures.
import { ask } from "../../api/client";

export type Party = { type: string; id: string };
export type Rule = { match: string; keep: string; leave?: "leaf" | "hash" | "tile" | undefined };
export type Retention = {
	rules: Rule[];
	leave: "leaf" | "hash" | "tile";
	floor: string | null;
	erasure_approvers: number;
	updated_at: string | null;
	updated_by?: Party;
};
export type RulePlan = {
	rule: string;
	leave: string;
	before: string;
	entries: number;
	bytes: number;
	later: number;
	next: string | null;
	held: Record<string, number>;
};
export type Plan = { size: number; rules: RulePlan[]; kept: number };
export type Hold = {
	id: string;
	query: string;
	reason: string;
	by: Party;
	entries: number;
	placed_at: string;
	released_at: string | null;
	released_by?: Party;
	released_reason: string | null;
};
export type Erasure = {
	id: string;
	state: "awaiting_approval" | "pending" | "done";
	reason: string;
	legal_basis: string;
	entries: number;
	by: Party;
	approved_by?: Party;
	requested_at: string;
	completed_at: string | null;
};
export type Erasing = { query?: string; event?: string; paths?: string[]; all?: boolean; whole?: boolean; hide_names?: boolean };
export type ErasurePreview = {
	entries: number;
	fields: number;
	whole: number;
	size: number;
	paths: Record<string, number>;
	held: Record<string, number>;
	first_seq: number | null;
	last_seq: number | null;
};

type Signal = AbortSignal | undefined;
const opt = (signal: Signal) => (signal ? { signal } : {});

export const getRetention = (org: string, signal?: Signal) => ask<Retention>("/v1/retention", { org, ...opt(signal) });
export const putRetention = (org: string, body: { rules: Rule[]; leave?: string }) => ask<Retention>("/v1/retention", { org, method: "PUT", body });
export const planRetention = (org: string, body: { rules?: Rule[] }, signal?: Signal) => ask<Plan>("/v1/retention/plan", { org, body, ...opt(signal) });
export const listHolds = async (org: string, signal?: Signal) => (await ask<{ holds: Hold[] }>("/v1/holds", { org, ...opt(signal) })).holds;
export const placeHold = (org: string, body: { query: string; reason: string }) => ask<Hold>("/v1/holds", { org, body });
export const releaseHold = (org: string, id: string, reason: string) => ask<Hold>(`/v1/holds/${encodeURIComponent(id)}/release`, { org, body: { reason } });
export const listErasures = async (org: string, signal?: Signal) => (await ask<{ erasures: Erasure[] }>("/v1/erasures", { org, ...opt(signal) })).erasures;
export const previewErasure = (org: string, body: Erasing, signal?: Signal) => ask<ErasurePreview>("/v1/erasures/preview", { org, body, ...opt(signal) });
export const createErasure = (org: string, body: Erasing & { reason: string; legal_basis?: string }) => ask<Erasure>("/v1/erasures", { org, body });
export const approveErasure = (org: string, id: string) => ask<Erasure>(`/v1/erasures/${encodeURIComponent(id)}/approve`, { org, body: {} });
export const withdrawErasure = (org: string, id: string) => ask<void>(`/v1/erasures/${encodeURIComponent(id)}`, { org, method: "DELETE" });
