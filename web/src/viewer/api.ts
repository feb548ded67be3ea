import { type Json, member, type Obj, readJSON, textOf } from "../json/read";
import type { Templates } from "../sentence/render";
import { chunks, int, logInfo } from "../verify/server";
import type { LogInfo, Server } from "../verify/verifier";
import type { Tokens } from "./token";

/** A refusal by the API; status 0: it cannot be reached. */
export class Refusal extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
		readonly at?: { pos: number; len: number },
	) {
		super(message);
	}
}

export interface Page {
	entries: Obj[];
	next: string;
	/** How much of the period was looked through, when not all of it was. */
	partial?: { days: number; of: number };
	size: number;
}

export interface Question {
	q: string;
	from: string;
	tz: string;
}

/** The viewer's client of the API: every request carries a token, and one that is refused is asked for once more. */
export class Client implements Server {
	constructor(
		private readonly server: string,
		private readonly tokens: Tokens,
	) {}

	private async send(path: string, init: RequestInit = {}, signal?: AbortSignal, spent?: string): Promise<Response> {
		let token: string;
		let answer: Response;
		try {
			token = await this.tokens.get(spent);
		} catch (e) {
			throw new Refusal(401, "no_token", e instanceof Error ? e.message : String(e));
		}
		try {
			const headers = { ...(init.headers as Record<string, string> | undefined), Authorization: `Bearer ${token}` };
			answer = await fetch(this.server + path, { ...init, headers, credentials: "omit", ...(signal ? { signal } : {}) });
		} catch (e) {
			if (signal?.aborted) throw e;
			throw new Refusal(0, "network", "");
		}
		if (answer.ok) return answer;
		if (answer.status === 401 && spent === undefined) return this.send(path, init, signal, token);
		const body = await answer.json().catch(() => ({}));
		const wrong = (body as { query_error?: { pos: number; len: number } }).query_error;
		throw new Refusal(answer.status, String(body.code ?? answer.status), String(body.detail ?? answer.statusText), wrong);
	}

	private async ask(path: string, params: Record<string, string | number | undefined>, signal?: AbortSignal): Promise<Json> {
		return readJSON(await (await this.send(address(path, params), {}, signal)).text());
	}

	async search(q: Question, cursor: string, signal?: AbortSignal): Promise<Page> {
		const v = await this.ask("/v1/events", { q: q.q, from: q.from, tz: q.tz, limit: 50, cursor }, signal);
		const list = member(v, "entries");
		const searched = member(v, "searched");
		const page: Page = {
			entries: Array.isArray(list) ? list.filter((e): e is Obj => e instanceof Map) : [],
			next: textOf(v, "next_cursor"),
			size: int(member(v, "size")),
		};
		if (member(searched, "complete") === false) page.partial = { days: int(member(searched, "days")), of: int(member(searched, "of_days")) };
		return page;
	}

	/** The templates of all schemas, by action and version. Without them events read by their action. */
	async sentences(signal?: AbortSignal): Promise<Map<string, Templates>> {
		const all = new Map<string, Templates>();
		let cursor = "";
		do {
			const v = await this.ask("/v1/sentences", { limit: 1000, cursor }, signal);
			const list = member(v, "sentences");
			for (const s of Array.isArray(list) ? list : []) {
				all.set(`${textOf(s, "action")} ${int(member(s, "version"))}`, {
					sentence: textOf(s, "sentence"),
					sentence_failure: textOf(s, "sentence_failure"),
					sentence_denied: textOf(s, "sentence_denied"),
				});
			}
			cursor = textOf(v, "next_cursor");
		} while (cursor !== "" && all.size < 20_000);
		return all;
	}

	private get log(): string {
		return `/v1/organizations/${encodeURIComponent(this.tokens.says.org)}/log`;
	}

	async info(signal?: AbortSignal): Promise<LogInfo> {
		return logInfo(await this.ask(`${this.log}/info`, {}, signal));
	}

	async checkpoint(signal?: AbortSignal): Promise<string> {
		return (await this.send(`${this.log}/checkpoint`, {}, signal)).text();
	}

	async evidence(ask: { from: number; to: number; size?: number; since?: number }, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
		return chunks(await this.send(address(`${this.log}/evidence`, ask), {}, signal));
	}

	/** What was found as a table for spreadsheets. */
	async csv(q: Question, signal?: AbortSignal): Promise<Blob> {
		return (await this.send(address("/v1/events/csv", { q: q.q, from: q.from, tz: q.tz }), {}, signal)).blob();
	}
}

function address(path: string, params: Record<string, string | number | undefined>): string {
	const q = new URLSearchParams();
	for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== "") q.set(name, String(value));
	return q.size > 0 ? `${path}?${q}` : path;
}
