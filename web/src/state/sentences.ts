// The sentences of an organization's schemas: an event keeps that of its own version.
import { signal } from "@preact/signals";
import { ask } from "../api/client";
import type { Entry } from "../api/types";
import type { Templates } from "../sentence/render";

type Listed = Templates & { action: string; version: number };
type Page = { sentences: Listed[]; next_cursor: string | null };

/** Templates by action and version, of the organization that the page shows. */
export const templates = signal<{ org: string; by: ReadonlyMap<string, Templates> }>({ org: "", by: new Map() });

/** Reads the templates of an organization, once a page. Without them an event reads by its action. */
export async function loadSentences(org: string, abort: AbortSignal): Promise<void> {
	if (templates.value.org === org) return;
	const by = new Map<string, Templates>();
	let cursor: string | undefined;
	do {
		const page: Page = await ask<Page>("/v1/sentences", { org, params: { limit: 1000, cursor }, signal: abort });
		for (const one of page.sentences) by.set(`${one.action} ${one.version}`, one);
		cursor = page.next_cursor ?? undefined;
	} while (cursor);
	templates.value = { org, by };
}

/** The templates of an entry's version; one without a version has the first. */
export function templatesOf(entry: Entry): Templates {
	return templates.value.by.get(`${entry.action} ${entry.version ?? 1}`) ?? {};
}
