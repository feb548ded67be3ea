// The pages of a search, as far as the reader has come. Each page is found by the cursor that began it, so pages far from the
// reader are let go and asked for again when they come back: memory stays flat, and nothing is shown twice or lost.
import { signal } from "@preact/signals";
import { api, Problem, type Question } from "../../api/client";
import type { Damage, Entry, Page, Searched } from "../../api/types";
import { t } from "../../messages/messages";
import { fold, type Row } from "./fold";

/** A page that was read: rows is null after it was let go. */
type Slot = { cursor: string; rows: Row[] | null; count: number; live?: true };

/** What is asked. */
export type Search = Question & { org: string; order: string; asc: boolean };

/** Pages kept on each side of the reader. */
const near = 8;

/** Rows of one request. */
export const perPage = 100;

type Ask = (search: Search, cursor: string, signal: AbortSignal) => Promise<Page>;

const askApi: Ask = (s, cursor, abort) =>
	api.events(
		s.org,
		cursor ? { limit: perPage, cursor } : { q: s.q ?? "", from: s.from ?? "", to: s.to ?? "", tz: s.tz ?? "", order: s.order, asc: s.asc, limit: perPage },
		abort,
	);

/** One search and what was read of it. Make a new one for a new search and close the old. */
export class Pages {
	/** Changes with everything that is to be painted. */
	readonly version = signal(0);
	/** Rows that are known to be there, read or let go. */
	count = 0;
	done = false;
	loading = false;
	/** The last page is not all of what was asked: the server stopped looking. The reader says whether to go on. */
	paused = false;
	problem: unknown = null;
	searched: Searched | null = null;
	from: string | null = null;
	to: string | null = null;
	/** What the pages leave out because it cannot be read. */
	readonly damaged: Damage[] = [];
	/** Names that actors of these pages had, by id. */
	readonly names = new Map<string, string>();
	/** Size of the log up to which the list shows it. */
	seen = 0;
	private slots: Slot[] = [];
	private next = "";
	private pending = new Set<number>();
	private readonly abort = new AbortController();

	constructor(
		readonly search: Search,
		private readonly folding: boolean,
		private readonly request: Ask = askApi,
	) {}

	/** Reads the next page, unless one is on its way, all is read, or the reader is to say first whether to go on. */
	async more(goOn = false): Promise<void> {
		if (this.loading || this.done || this.abort.signal.aborted || (this.paused && !goOn)) return;
		this.loading = true;
		this.paused = false;
		this.problem = null;
		this.changed();
		const cursor = this.next;
		try {
			const page = await this.request(this.search, cursor, this.abort.signal);
			const rows = this.rowsOf(page.entries);
			this.slots.push({ cursor, rows, count: rows.length });
			this.count += rows.length;
			this.searched = page.searched;
			if (!cursor) {
				this.from = page.from;
				this.to = page.to;
				this.seen = page.size;
			}
			this.next = page.next_cursor ?? "";
			this.done = !page.next_cursor;
			for (const d of page.searched.damaged ?? []) {
				if (!this.damaged.some((known) => known.detail === d.detail)) this.damaged.push(d);
			}
			this.paused = !page.searched.complete && page.searched.reason !== "damaged" && !this.done;
		} catch (error) {
			if (!this.abort.signal.aborted) this.problem = error;
		} finally {
			this.loading = false;
			if (!this.abort.signal.aborted) this.changed();
		}
	}

	/** Puts entries that came live in front, the newest first. Returns how many rows they make. */
	prepend(entries: Entry[]): number {
		if (entries.length === 0) return 0;
		const rows = this.rowsOf(entries);
		this.slots.unshift({ cursor: "", rows, count: rows.length, live: true });
		this.count += rows.length;
		this.changed();
		return rows.length;
	}

	/** The row at index; undefined while its page is on its way back. */
	row(index: number): Row | undefined {
		const at = this.slotOf(index);
		if (!at) return undefined;
		return at.slot.rows?.[index - at.start];
	}

	/** Tells which rows the reader sees: pages near them come back, pages far away go. */
	look(first: number, last: number): void {
		const low = this.slotOf(Math.max(0, first))?.n ?? 0;
		const high = this.slotOf(Math.min(last, this.count - 1))?.n ?? this.slots.length - 1;
		this.slots.forEach((slot, n) => {
			if (slot.live) return; // no cursor finds it again
			if (n < low - near || n > high + near) {
				slot.rows = null;
			} else if (slot.rows === null) {
				void this.back(n, slot);
			}
		});
	}

	/** Index of the row that shows the entry, -1 when it is not among those in memory. */
	find(id: string): number {
		let start = 0;
		for (const slot of this.slots) {
			const at = slot.rows?.findIndex((r) => r.entry.id === id || r.repeats.some((e) => e.id === id)) ?? -1;
			if (at >= 0) return start + at;
			start += slot.count;
		}
		return -1;
	}

	/** Gives up the first page, in words. */
	cancel(): void {
		this.abort.abort();
		this.loading = false;
		this.problem = new Problem(0, "cancelled", t("events.cancelled"));
		this.changed();
	}

	/** Stops everything that is on its way. */
	close(): void {
		this.abort.abort();
	}

	private rowsOf(entries: Entry[]): Row[] {
		for (const e of entries) {
			if (e.actor?.name && this.names.size < 5000) this.names.set(e.actor.id, e.actor.name);
		}
		return this.folding ? fold(entries) : entries.map((entry) => ({ entry, repeats: [] }));
	}

	private async back(n: number, slot: Slot): Promise<void> {
		if (this.pending.has(n)) return;
		this.pending.add(n);
		try {
			const page = await this.request(this.search, slot.cursor, this.abort.signal);
			slot.rows = this.rowsOf(page.entries);
		} catch (error) {
			if (!this.abort.signal.aborted) this.problem = error;
		} finally {
			this.pending.delete(n);
			if (!this.abort.signal.aborted) this.changed();
		}
	}

	private slotOf(index: number): { slot: Slot; n: number; start: number } | undefined {
		let start = 0;
		for (const [n, slot] of this.slots.entries()) {
			if (index < start + slot.count) return { slot, n, start };
			start += slot.count;
		}
		return undefined;
	}

	private changed(): void {
		this.version.value += 1;
	}
}
