// The routes of exports.
import { ask } from "../../api/client";

export type ExportState = "pending" | "running" | "ready" | "failed" | "cancelled" | "expired";

export type Export = {
	id: string;
	state: ExportState;
	format: "csv" | "ndjson" | "parquet" | "bundle";
	compression: "none" | "gzip" | "zstd";
	columns: string[] | null;
	query: string;
	from: string | null;
	to: string | null;
	size: number;
	scanned: number;
	rows: number;
	bytes: number;
	sha256: string | null;
	left_out: { columns: string[]; entries: number; erased_entries: number; erased_fields: number; mask?: string[] };
	/** What was found false of the log and nobody had acknowledged when it was made. */
	warning?: string;
	by: string;
	error: string | null;
	url: string | null;
	url_expires_at: string | null;
	created_at: string;
	started_at: string | null;
	finished_at: string | null;
	expires_at: string | null;
};

export type NewExport = { format: string; compression?: string; query?: string; from?: string; to?: string; tz?: string; columns?: string[] };

type List = { exports: Export[]; next_cursor: string | null };

/** Whether nothing more will be written. */
export function finished(x: Export): boolean {
	return x.state !== "pending" && x.state !== "running";
}

/** All exports of the organization, newest first. */
export const listExports = async (org: string, signal: AbortSignal): Promise<Export[]> => {
	const all: Export[] = [];
	let cursor: string | undefined;
	do {
		const page: List = await ask<List>("/v1/exports", { org, params: { limit: 1000, cursor }, signal });
		all.push(...page.exports);
		cursor = page.next_cursor ?? undefined;
	} while (cursor);
	return all.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
};

export const getExport = (org: string, id: string, signal?: AbortSignal): Promise<Export> =>
	ask<Export>(`/v1/exports/${encodeURIComponent(id)}`, signal ? { org, signal } : { org });

export const createExport = (org: string, body: NewExport): Promise<Export> => ask<Export>("/v1/exports", { org, body });

export const cancelExport = (org: string, id: string): Promise<Export> => ask<Export>(`/v1/exports/${encodeURIComponent(id)}`, { org, method: "DELETE" });
