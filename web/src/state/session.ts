// Who is signed in, and which organizations they reach.
import { computed, signal } from "@preact/signals";
import { api, onSessionEnd, Problem } from "../api/client";
import type { Org, Whoami } from "../api/types";

/** unknown: not asked yet; none: nobody; here: somebody; ended: somebody was, and the page still shows what they saw. */
export type SessionState = "unknown" | "none" | "here" | "ended" | "unreachable";

export const session = signal<SessionState>("unknown");
export const whoami = signal<Whoami | null>(null);
export const orgs = signal<Org[]>([]);

/** Whether the key has a scope. */
export function can(scope: string): boolean {
	return whoami.value?.scopes.includes(scope) ?? false;
}

/** The file that is shown in place of a server's log; undefined: none is. */
export const offline = computed(() => whoami.value?.offline);

/** Names of organizations by id. */
export const orgNames = computed(() => new Map(orgs.value.map((o) => [o.id, o.name || o.id])));

onSessionEnd(() => {
	if (session.value === "here") {
		session.value = "ended";
	}
});

/** Asks who is signed in and reads the organizations. */
export async function openSession(): Promise<void> {
	try {
		whoami.value = await api.whoami();
		const all: Org[] = [];
		let cursor: string | undefined;
		do {
			const page = await api.orgs(cursor);
			all.push(...page.organizations);
			cursor = page.next_cursor ?? undefined;
		} while (cursor && all.length < 10_000);
		orgs.value = all;
		session.value = "here";
	} catch (error) {
		const gone = error instanceof Problem && error.status === 401;
		session.value = gone ? (session.value === "ended" ? "ended" : "none") : "unreachable";
	}
}

/** An organization of which the server says that there is none, or none that the key reaches. */
export const noOrg = signal("");

/** Asks for an organization that was not there when the session began: it may be new, or beyond those that were read. */
export async function findOrg(id: string): Promise<void> {
	try {
		const found = await api.org(id);
		if (!orgs.value.some((o) => o.id === id)) orgs.value = [...orgs.value, found];
	} catch (error) {
		if (error instanceof Problem && error.status >= 400 && error.status < 500) noOrg.value = id;
	}
}

/** Signs in with an API key, or with a code that does so once. Throws Problem. */
export async function signIn(by: { api_key: string } | { code: string }): Promise<void> {
	await api.signIn(by);
	await openSession();
}

/** Ends the session here and on the server. */
export async function signOut(): Promise<void> {
	try {
		await api.signOut();
	} finally {
		whoami.value = null;
		orgs.value = [];
		session.value = "none";
	}
}
