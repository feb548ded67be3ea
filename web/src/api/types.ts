// The shapes of the native API that the console reads. Members that the console does not use are left out.
import type { Json } from "./json";

/** Who did it, or through whom. */
export type Actor = { type: string; id: string; name?: string; email?: string; metadata?: { [name: string]: Json }; via?: Actor[] };

/** On what. */
export type Target = { type: string; id: string; name?: string; metadata?: { [name: string]: Json } };

/** One changed value; path is RFC 6901. A member that is missing was, or is, not there. */
export type Change = { path: string; old?: Json; new?: Json };

/** An event as it stands in the log. */
export type Entry = {
	org: string;
	seq: number;
	id: string;
	received_at: string;
	leaf_hash: string;
	/** Missing in acts of the log itself and in what is left of a removed entry. */
	action?: string;
	version?: number;
	occurred_at?: string;
	actor: Actor;
	targets?: Target[];
	context?: { ip?: string; user_agent?: string; [name: string]: Json | undefined };
	outcome?: "success" | "failure" | "denied";
	error?: { code?: string; message?: string };
	changes?: Change[];
	reason?: string;
	/** JSON pointers of what was erased; nobody knows of what when it is empty. */
	erased_fields?: string[];
	/** JSON pointers of what the reader may not see. */
	hidden_fields?: string[];
	/** A hold keeps the entry; only lists say so. */
	held?: true;
	/** Why the entry itself is gone. */
	removed?: "erased" | "retention";
	correlation_id?: string;
	metadata?: { [name: string]: Json };
	[name: string]: unknown;
};

/** What was looked through for an answer. */
export type Searched = { from: string; to: string; days: number; of_days: number; blocks: number; complete: boolean; reason?: string; damaged?: Damage[] };

/** A place of a log at which what is stored contradicts itself; from and to are null where it is no place of entries. */
export type Damage = { from: number | null; to: number | null; check: string; finding: string; detail: string };

/** One page of a search. */
export type Page = {
	entries: Entry[];
	next_cursor: string | null;
	size: number;
	query: string;
	from: string | null;
	to: string | null;
	searched: Searched;
};

export type Bar = { from: string; total: number; failure: number; denied: number };
export type Histogram = { interval: string; bars: Bar[]; searched: Searched };
/** name: of actor.id, what the newest of the entries that names the actor calls it. */
export type FacetValue = { value: string; count: number; excess: number; name?: string };
export type Facets = {
	count: { value: number; exact: boolean };
	facets: Record<string, { values: FacetValue[]; other: number }>;
	searched: Searched;
};

export type Org = { id: string; name: string; created_at: string; epoch: number; state: string; size: number };
export type Key = {
	id: string;
	name: string;
	org: string | null;
	scopes: string[];
	created_at: string;
	expires_at: string | null;
	last_used_at: string | null;
	revoked_at: string | null;
};
/** The file that daybook ui --bundle shows, and how verifying it went when it was opened. */
export type Offline = {
	file: string;
	origin: string;
	from: number;
	to: number;
	size: number;
	first_at: string | null;
	last_at: string | null;
	signed_at: string | null;
	key: string;
	filtered: boolean;
	filter: string;
	mask: string[];
	shown: number;
	hashed: number;
	removed: number;
	withheld: number;
	verdict: "proved" | "unverified" | "false";
	findings: { code: string; line?: number; seq: number | null; message: string }[];
	more: number;
	notes: string[];
};
export type Whoami = Key & { version: string; offline?: Offline };

/** What is wrong with a query; pos and len count code points. */
export type QueryError = { code: string; pos: number; len: number; message: string; hint: string; suggestions: string[] | null };
