// The routes of the instance.
import { ask } from "../../api/client";
import { type Summary, summary } from "../../api/logs";
import type { Org } from "../../api/types";

type Counted = { value: number; exact: boolean };
export type Module = { path: string; version: string };
/** How far the times of producers are from when their events came, at most. */
export type Clocks = { ahead_s: number; ahead_org?: string; late_s: number; late_org?: string; over_s: number };
export type Job = {
	kind: "export" | "erase_organization";
	id: string;
	org: string;
	state: "pending" | "running" | "awaiting_approval";
	done: number;
	of: number;
	asked_at: string;
	started_at: string | null;
};
export type Node = {
	name?: string;
	recorded: number;
	recorded_per_second: number;
	over_s: number;
	commit_p99_s: number;
	commits_measured: number;
	queue_bytes: number;
	tail_entries: number;
	merge_debt: number;
	removals: number;
	erasures_overdue: number;
	background?: boolean;
	clocks?: Clocks;
	open_logs: number;
	frozen_logs: number;
	self_audit_recorded: number;
	self_audit_lost: number;
	self_audit_waiting: number;
};
export type Instance = {
	version: string;
	go: string;
	url: string;
	signing: boolean;
	organizations: Counted;
	entries: Counted;
	storage_bytes?: number;
	node?: Node;
	jobs: Job[];
	modules: Module[];
};

export const getInstance = (signal: AbortSignal) => ask<Instance>("/v1/instance", { signal });

export type OrgRow = { org: Org; log: Summary | null };
export type OrgPage = { rows: OrgRow[]; next: string | null };

/** Organizations of one page, with their summaries where the key may have them. */
export async function listOrgs(name: string, cursor: string, withLogs: boolean, signal: AbortSignal): Promise<OrgPage> {
	const page = await ask<{ organizations: Org[]; next_cursor: string | null }>("/v1/organizations", { params: { name, cursor, limit: 25 }, signal });
	const logs = await Promise.all(page.organizations.map((o) => (withLogs ? summary(o.id, signal).catch(() => null) : null)));
	return { rows: page.organizations.map((org, i) => ({ org, log: logs[i] ?? null })), next: page.next_cursor };
}

export const createOrg = (body: { name: string; id?: string }) => ask<Org>("/v1/organizations", { body });
