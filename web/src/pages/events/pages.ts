// The pages of a search, as far as the reader has come. Each page is found by the cursor that began it, so pages far from the
// reader are let go and asked for again when they come back: memory stays flat, and nothing is shown twice or lost.
import { signal } from "@preact/signals";
import { api, Problem, type Question } from "../../api/client";
import type { Damage, Entry, Page, Searched } from "../../api/types";
import { t } from "../../messages/messages";
import { fold, type Row } from "./fold";

/** A page that was read, with the index of its first row: rows is null after it was let go, until it is asked again. */
type Slot = { cursor: string; limit: number; start: number; count: number; rows: Row[] | null; live?: true; asked?: true };

/** What is asked. */
export type Search = Question & { org: string; order: string; asc: boolean };

/** Whether the first answer came, and was nothing; what went wrong last. */
export type Outline = { answered: boolean; empty: boolean; problem: unknown };

/** Rows kept on each side of the reader. */
const near = 1200;

/** Entries of the first request, so that rows come soon, and of those that follow while somebody scrolls, so that they ask seldom. */
export const perPage = 100;
export const perMore = 400;

type Ask = (search: Search, cursor: string, limit: number, signal: AbortSignal) => Promise<Page>;

const askApi: Ask = (s, cursor, limit, abort) =>
	api.events(
		s.org,
		cursor ? { limit, cursor } : { q: s.q ?? "", from: s.from ?? "", to: s.to ?? "", tz: s.tz ?? "", order: s.order, asc: s.asc, limit },
		abort,
	);

/** One search and what was read of it. Make a new one for a new search and close the old. */
export class Pages {
	/** Changes with everything that is to be painted. */
	readonly version = signal(0);
	/** What the page around the rows shows of them; changes seldom. */
	readonly outline = signal<Outline>({ answered: false, empty: false, problem: null });
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
	/** Size of the log up to which the list shows it. */
	seen = 0;
	/** The pages in order, and those of them that are in memory. */
	private slots: Slot[] = [];
	private held = new Set<Slot>();
	private next = "";
	private sight: [first: number, last: number] = [0, 0];
	private readonly abort = new AbortController();

	constructor(
		readonly search: Search,
		private readonly folding: boolean,
		private readonly request: Ask = askApi,
		private readonly following = perMore,
	) {}

	/** Reads the next page, unless one is on its way, all is read, or the reader is to say first whether to go on. */
	async more(goOn = false): Promise<void> {
		if (this.loading || this.done || this.abort.signal.aborted || (this.paused && !goOn)) return;
		this.loading = true;
		this.paused = false;
		this.problem = null;
		this.changed();
		const cursor = this.next;
		const limit = cursor ? this.following : perPage;
		try {
			const page = await this.request(this.search, cursor, limit, this.abort.signal);
			const rows = this.rowsOf(page.entries);
			const slot = { cursor, limit, start: this.count, count: rows.length, rows };
			this.slots.push(slot);
			this.held.add(slot);
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

	/** Asks again for what failed: the next page, and pages in sight that did not come back. */
	retry(): void {
		this.problem = null;
		this.look(...this.sight);
		this.changed();
		void this.more();
	}

	/** Puts entries that came live in front, the newest first. Returns how many rows they make. */
	prepend(entries: Entry[]): number {
		if (entries.length === 0) return 0;
		const rows = this.rowsOf(entries);
		const slot: Slot = { cursor: "", limit: 0, start: 0, count: rows.length, rows, live: true };
		this.slots.unshift(slot);
		this.held.add(slot);
		this.place();
		this.changed();
		return rows.length;
	}

	/** The row at index; undefined while its page is on its way back. */
	row(index: number): Row | undefined {
		const slot = this.slots[this.slotOf(index)];
		return slot?.rows?.[index - slot.start];
	}

	/** Tells which rows the reader sees: pages near them come back, pages far away go. */
	look(first: number, last: number): void {
		this.sight = [first, last];
		const [low, high] = [first - near, last + near];
		for (const slot of this.held) {
			if (slot.live || (slot.start < high && slot.start + slot.count > low)) continue; // no cursor finds a live one again
			slot.rows = null;
			this.held.delete(slot);
		}
		if (this.problem) return; // the reader says when to ask again
		for (let n = this.slotOf(Math.max(0, low)); n < this.slots.length; n++) {
			const slot = this.slots[n] as Slot;
			if (slot.start >= high) break;
			if (slot.rows === null && !slot.asked) void this.back(slot);
		}
	}

	/** Index of the row that shows the entry, -1 when it is not among those in memory. */
	find(id: string): number {
		for (const slot of this.held) {
			const at = slot.rows?.findIndex((r) => r.entry.id === id || r.repeats.some((e) => e.id === id)) ?? -1;
			if (at >= 0) return slot.start + at;
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
		return this.folding ? fold(entries) : entries.map((entry) => ({ entry, repeats: [] }));
	}

	private async back(slot: Slot): Promise<void> {
		slot.asked = true;
		try {
			const page = await this.request(this.search, slot.cursor, slot.limit, this.abort.signal);
			slot.rows = this.rowsOf(page.entries);
			this.held.add(slot);
			if (slot.rows.length !== slot.count) {
				slot.count = slot.rows.length; // retention took some of them meanwhile
				this.place();
			}
		} catch (error) {
			if (!this.abort.signal.aborted) this.problem = error;
		} finally {
			delete slot.asked;
			if (!this.abort.signal.aborted) this.changed();
		}
	}

	/** Numbers the rows anew. */
	private place(): void {
		this.count = 0;
		for (const slot of this.slots) {
			slot.start = this.count;
			this.count += slot.count;
		}
	}

	/** Number of the page that has the row. */
	private slotOf(index: number): number {
		let [low, high] = [0, this.slots.length];
		while (low + 1 < high) {
			const middle = (low + high) >> 1;
			if ((this.slots[middle] as Slot).start <= index) low = middle;
			else high = middle;
		}
		return low;
	}

	private changed(): void {
		this.version.value += 1;
		const now: Outline = { answered: this.searched !== null, empty: this.done && this.count === 0 && !this.problem, problem: this.problem };
		const was = this.outline.peek();
		if (now.answered !== was.answered || now.empty !== was.empty || now.problem !== was.problem) this.outline.value = now;
	}
}
