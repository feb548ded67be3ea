// How a log stands: asked by several pages.
import { ask } from "./client";

/** A place in a log. */
export type Place = { seq: number; received_at: string };

/** The figures of GET /v1/summary. */
export type Summary = {
	org: string;
	name: string;
	state: string;
	no_space: boolean;
	epoch: number;
	size: number;
	newest_at: string | null;
	oldest?: Place;
	first_event?: Place;
	signing: boolean;
	checkpoint?: { origin: string; size: number; root: string; at: string };
};

/** Asks how the log of an organization stands. Throws Problem. */
export function summary(org: string, signal?: AbortSignal): Promise<Summary> {
	return ask<Summary>("/v1/summary", { org, ...(signal ? { signal } : {}) });
}
