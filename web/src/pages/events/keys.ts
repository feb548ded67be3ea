// The keys of the list. What they do is listed behind "?".
import type { RefObject } from "preact";
import type { Bar } from "../../api/types";
import { t } from "../../messages/messages";
import { useKeys } from "../../shell/keys";
import { verify } from "../../state/proof";
import type { UrlState } from "../../state/url";
import { copy } from "../../ui/copy";
import { say, toast } from "../../ui/notice";
import type { ListHandle } from "../../ui/virtual";
import { unzoom } from "./events";
import type { Pages } from "./pages";

type Props = {
	url: UrlState;
	pages: Pages;
	list: RefObject<ListHandle | null>;
	focus: number;
	setFocus: (index: number) => void;
	range: { from: string; to: string; bars: Bar[] };
	open: (id: string) => void;
	liveAllowed: boolean;
	/** Rows that are picked, by the id of their event. */
	picked: ReadonlySet<string>;
	pick: (ids: ReadonlySet<string>) => void;
};

export function useEventKeys(p: Props): void {
	const { url, pages } = p;
	const sel = url.get("sel");
	const go = (index: number) => {
		const at = Math.max(0, Math.min(index, pages.count - 1));
		p.setFocus(at);
		p.list.current?.reveal(at);
		focusSoon(at, patience);
		const row = pages.row(at);
		if (sel && row) url.set({ sel: row.entry.id });
	};
	/** Arrows and paging act only in the grid: elsewhere they scroll. */
	const inGrid = (event: KeyboardEvent) => event.target instanceof HTMLElement && event.target.dataset["row"] !== undefined;
	const grid = (to: () => number) => (event: KeyboardEvent) => (inGrid(event) ? go(to()) : false);
	const page = () => p.list.current?.fits() ?? 10;
	useKeys({
		"/": () => document.querySelector<HTMLElement>("[data-query]")?.focus(),
		f: () => {
			const field = document.querySelector<HTMLElement>("[data-facets]");
			if (field?.checkVisibility()) field.focus();
			else document.querySelector<HTMLElement>(".facets-button")?.click(); // a narrow window keeps them in a dialog
		},
		x: () => {
			const id = pages.row(p.focus)?.entry.id;
			if (!id) return;
			const next = new Set(p.picked);
			if (!next.delete(id)) next.add(id);
			p.pick(next);
			say(t("picked", { n: next.size }));
		},
		j: () => go(document.activeElement instanceof HTMLElement && document.activeElement.dataset["row"] === undefined && !sel ? p.focus : p.focus + 1),
		k: () => go(p.focus - 1),
		ArrowDown: grid(() => p.focus + 1),
		ArrowUp: grid(() => p.focus - 1),
		PageDown: grid(() => p.focus + page()),
		PageUp: grid(() => p.focus - page()),
		Home: grid(() => 0),
		End: grid(() => pages.count - 1),
		Enter: (event) => {
			const row = pages.row(p.focus);
			if (!row || !inGrid(event)) return false;
			if (sel === row.entry.id) url.go(`/o/${encodeURIComponent(pages.search.org)}/events/${row.entry.id}`);
			else p.open(row.entry.id);
			return true;
		},
		Escape: () => {
			if (!sel && p.picked.size > 0) {
				p.pick(new Set());
				return true;
			}
			if (!sel) return unzoom(url);
			url.set({ sel: null, tab: null }, true);
			requestAnimationFrame(() => focusRow(p.focus));
			return true;
		},
		y: () => {
			const id = sel || pages.row(p.focus)?.entry.id;
			if (p.picked.size > 0) copyLinks(pages.search.org, p.picked);
			else if (id) copyLinks(pages.search.org, [id]);
		},
		l: () => {
			if (p.liveAllowed) url.set({ live: url.get("live") === "1" ? null : "1" }, true);
		},
		t: () => {
			const target = pages.row(p.focus)?.entry.targets?.[0];
			if (!target) return false;
			url.go(`/o/${encodeURIComponent(pages.search.org)}/targets/${encodeURIComponent(target.type)}/${encodeURIComponent(target.id)}`);
			return true;
		},
		v: () => {
			if (!sel && p.picked.size > 0) {
				verifyPicked(pages, p.picked);
				return;
			}
			const inSight = Array.from(document.querySelectorAll<HTMLElement>("[data-row]"), (el) => pages.row(Number(el.dataset["row"])));
			const rows = sel ? [pages.row(pages.find(sel))] : inSight;
			const entries = rows.flatMap((r) => (r ? [r.entry, ...r.repeats] : []));
			void verify(pages.search.org, entries).then(() => toast(t("proof.done", { n: entries.length })));
		},
		"[": () => move(p, -1),
		"]": () => move(p, 1),
	});
}

/** Frames that a row is waited for: one that was scrolled to must be rendered, one that was let go must come back from the server. */
const patience = 300;

/** Gives a row the focus, as soon as it is in the page, unless the person has gone elsewhere meanwhile. */
function focusSoon(index: number, frames: number): void {
	const now = document.activeElement;
	if (focusRow(index) || frames === 0) return;
	requestAnimationFrame(() => {
		const at = document.activeElement;
		if (at === now || at === document.body) focusSoon(index, frames - 1);
	});
}

/** Gives a row the focus; false: it is not in the page. */
function focusRow(index: number): boolean {
	const row = document.querySelector<HTMLElement>(`[data-row="${index}"]`);
	row?.focus({ preventScroll: true });
	return row !== null;
}

/** Copies the addresses of events, one a line. */
export function copyLinks(org: string, ids: Iterable<string>): void {
	void copy(Array.from(ids, (id) => `${location.origin}/o/${encodeURIComponent(org)}/events/${id}`).join("\n"));
}

/** Verifies the rows that are picked, as far as they are in memory. */
export function verifyPicked(pages: Pages, ids: Iterable<string>): void {
	const entries = Array.from(ids, (id) => pages.row(pages.find(id))).flatMap((r) => (r ? [r.entry, ...r.repeats] : []));
	void verify(pages.search.org, entries).then(() => toast(t("proof.done", { n: entries.length })));
}

/** Moves the window of time by its own length. */
function move(p: Props, by: -1 | 1): void {
	const { bars } = p.range;
	const [first, second, last] = [bars[0], bars[1], bars[bars.length - 1]];
	if (!first || !second || !last) return;
	const begin = Date.parse(first.from);
	const step = Date.parse(second.from) - begin;
	const end = Date.parse(last.from) + step;
	const shift = (end - begin) * by;
	p.url.set({ from: new Date(begin + shift).toISOString(), to: new Date(end + shift).toISOString(), range: null }, true);
}
