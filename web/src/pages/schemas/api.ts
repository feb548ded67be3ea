// The routes of schemas, and what a schema looks like as a text.
import { ask } from "../../api/client";
import { compact, isObject, type Json, parseJSON, pretty } from "../../api/json";

export type Party = { type: string; id: string };
export type Sentences = { sentence?: string; sentence_failure?: string; sentence_denied?: string };
export type Schema = Sentences & {
	action: string;
	version: number;
	org: string | null;
	targets: { type: string; metadata?: Json }[];
	actor?: { metadata?: Json };
	metadata?: Json;
	event?: Json;
	created_at: string;
	by?: Party;
};
export type Action = { action: string; org: string | null; created_at: string; updated_at: string; schema: Schema };

/** All actions that have a schema, by name. */
export async function listActions(org: string, signal: AbortSignal): Promise<Action[]> {
	const all: Action[] = [];
	let cursor: string | undefined;
	do {
		const page: { actions: Action[]; next_cursor: string | null } = await ask("/v1/actions", { org, params: { limit: 1000, cursor }, signal });
		all.push(...page.actions);
		cursor = page.next_cursor ?? undefined;
	} while (cursor);
	return all;
}

const path = (action: string) => `/v1/actions/${encodeURIComponent(action)}/schemas`;

/** The versions of an action, newest first: there are at most 1,000. */
export const listVersions = async (org: string, action: string, signal: AbortSignal): Promise<Schema[]> =>
	(await ask<{ schemas: Schema[] }>(path(action), { org, params: { limit: 1000 }, signal })).schemas;

/** Registers the next version. */
export const register = (org: string, action: string, text: string): Promise<Schema> => ask<Schema>(path(action), { org, text });

/** The parts of a schema that are JSON Schemas, over several lines. */
export function partsOf(schema: Schema): string {
	const parts: { [name: string]: Json } = {};
	if (schema.targets.length > 0) parts["targets"] = schema.targets as Json;
	if (schema.actor) parts["actor"] = schema.actor as Json;
	if (schema.metadata !== undefined) parts["metadata"] = schema.metadata;
	if (schema.event !== undefined) parts["event"] = schema.event;
	return pretty(parts);
}

/** What is sent: the parts as they were typed, and the sentences that say something. Throws Fault, or an Error in words. */
export function bodyOf(parts: string, sentences: Sentences): string {
	const read = parseJSON(parts.trim() === "" ? "{}" : parts);
	if (!isObject(read)) throw new Error("object");
	const body = { ...read };
	for (const [name, text] of Object.entries(sentences)) if (text) body[name] = text;
	return compact(body);
}

/** Line and column, from 1, of a place in a text. */
export function placeIn(text: string, at: number): { line: number; column: number } {
	const lines = text.slice(0, at).split("\n");
	return { line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
}

/** The call that registers a schema, for a shell. */
export function curlOf(server: string, org: string, action: string, body: string): string {
	const quoted = body.replaceAll("'", `'\\''`);
	return `curl ${server}${path(action)} \\\n  -H "Authorization: Bearer $DAYBOOK_API_KEY" -H 'Daybook-Org: ${org}' \\\n  -H 'Content-Type: application/json' \\\n  -d '${quoted}'`;
}
