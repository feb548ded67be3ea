// The client of the native API. The session is a cookie that scripts cannot read; the organization goes into a header, since a key
// may be for all of them.
import { refusal } from "../messages/messages";
import { compact, type Json, parseJSON } from "./json";
import type { Damage, Facets, Histogram, Org, Page, QueryError, Whoami } from "./types";

/** A refusal of the API, or of the network (status 0). */
export class Problem extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		detail: string,
		readonly requestId = "",
		readonly field = "",
		readonly queryError: QueryError | null = null,
		readonly retryAfter = 0,
		/** Where the store is damaged, with store_damaged. */
		readonly damage: Damage | null = null,
	) {
		super(detail);
	}
}

/** Parameters of a query string; undefined and "" are left out. */
export type Params = Record<string, string | number | boolean | undefined>;

/** What a request may carry. */
export type Ask = {
	org?: string;
	params?: Params;
	body?: unknown /** A body that is JSON already: its digits stay. */;
	text?: string;
	signal?: AbortSignal;
	method?: string;
	headers?: Record<string, string>;
};

type Listener = () => void;
const ended = new Set<Listener>();

/** Calls back whenever the API answers 401: the session is over. Returns how to stop. */
export function onSessionEnd(callback: Listener): () => void {
	ended.add(callback);
	return () => ended.delete(callback);
}

/** The address of path with its parameters. */
export function address(path: string, params: Params = {}): string {
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(params)) {
		if (value !== undefined && value !== "") {
			query.set(name, String(value));
		}
	}
	const text = query.toString();
	return text ? `${path}?${text}` : path;
}

/** Sends a request and returns its answer, whose body is still to be read. Throws Problem. */
export async function send(path: string, ask: Ask = {}): Promise<Response> {
	const headers: Record<string, string> = { ...ask.headers };
	if (ask.org) {
		headers["Daybook-Org"] = ask.org;
	}
	const text = ask.text ?? (ask.body === undefined ? null : compact(ask.body as Json)); // with the digits of numbers that were read
	if (text !== null) {
		headers["Content-Type"] = "application/json";
	}
	let answer: Response;
	try {
		answer = await fetch(address(path, ask.params), {
			method: ask.method ?? (text === null ? "GET" : "POST"),
			headers,
			body: text,
			signal: ask.signal ?? null,
			credentials: "same-origin",
		});
	} catch (error) {
		if (ask.signal?.aborted) {
			throw error;
		}
		throw new Problem(0, "network", refusal("network", "The server cannot be reached."));
	}
	if (answer.ok) {
		return answer;
	}
	const problem = await readProblem(answer);
	if (problem.status === 401 && !path.startsWith("/v1/session")) {
		for (const callback of ended) {
			callback();
		}
	}
	throw problem;
}

async function readProblem(answer: Response): Promise<Problem> {
	const id = answer.headers.get("X-Request-Id") ?? "";
	const after = Number(answer.headers.get("Retry-After") ?? 0);
	let body: Record<string, unknown> = {};
	try {
		body = (await answer.json()) as Record<string, unknown>;
	} catch {
		// A proxy in between may answer in its own words.
	}
	const code = String(body["code"] ?? answer.status);
	return new Problem(
		answer.status,
		code,
		refusal(code, String(body["detail"] ?? answer.statusText)),
		String(body["request_id"] ?? id),
		String(body["field"] ?? ""),
		inWords(body["query_error"] as QueryError | undefined),
		after,
		(body["damage"] as Damage | undefined) ?? null,
	);
}

/** What is wrong with a query, in the language that is spoken. */
export function inWords(wrong: QueryError | undefined): QueryError | null {
	return wrong ? { ...wrong, message: refusal(`query.${wrong.code}`, wrong.message) } : null;
}

/** Asks and reads the answer as JSON that keeps its digits. Throws Problem. */
export async function ask<T>(path: string, how: Ask = {}): Promise<T> {
	const answer = await send(path, how);
	if (answer.status === 204) {
		return undefined as T;
	}
	return parseJSON(await answer.text()) as unknown as T;
}

/** What a search asks for. */
export type Question = { q?: string; from?: string; to?: string; tz?: string };

/** The routes that more than one page asks. A page's own routes stand beside the page. */
export const api = {
	whoami: (signal?: AbortSignal) => ask<Whoami>("/v1/whoami", signal ? { signal } : {}),
	signIn: (by: { api_key: string } | { code: string }) => ask<void>("/v1/session", { body: by }),
	signOut: () => ask<void>("/v1/session", { method: "DELETE" }),
	orgs: (cursor?: string) => ask<{ organizations: Org[]; next_cursor: string | null }>("/v1/organizations", { params: { limit: 1000, cursor } }),
	org: (id: string) => ask<Org>(`/v1/organizations/${encodeURIComponent(id)}`),
	events: (org: string, params: Question & { order?: string; asc?: boolean; limit?: number; cursor?: string }, signal?: AbortSignal) =>
		ask<Page>("/v1/events", { org, params, ...(signal ? { signal } : {}) }),
	facets: (org: string, params: Question & { fields?: string; top?: number; names?: boolean }, signal?: AbortSignal) =>
		ask<Facets>("/v1/facets", { org, params, ...(signal ? { signal } : {}) }),
	histogram: (org: string, params: Question & { bars?: number }, signal?: AbortSignal) =>
		ask<Histogram>("/v1/histogram", { org, params, ...(signal ? { signal } : {}) }),
	/** The stored text of one event. */
	eventText: async (org: string, id: string, signal?: AbortSignal): Promise<string> =>
		(await send(`/v1/events/${encodeURIComponent(id)}`, { org, ...(signal ? { signal } : {}) })).text(),
};

export type { Json };
