// The grid of entries: rows in sight only, one of them in the tab order. What is left out is said in lines at its end.
import type { ComponentChildren, Ref } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { t } from "../../messages/messages";
import { lists } from "../../state/prefs";
import { openLog } from "../../state/proof";
import { Button } from "../../ui/button";
import { Skeleton } from "../../ui/notice";
import { zoneName } from "../../ui/time";
import { type ListHandle, VirtualList } from "../../ui/virtual";
import { columnName, template } from "./columns";
import type { Pages } from "./pages";
import { EventRow } from "./row";

/** Rows below the reader that are asked for before they are reached: few at the top, where most stay, more while they scroll. */
const aheadAtTop = 40;
const ahead = 200;

type Props = {
	pages: Pages;
	zone: string;
	columns: string[];
	selected: string;
	picked: ReadonlySet<string>;
	focus: number;
	onFocus: (index: number) => void;
	onOpen: (id: string) => void;
	onTop: (atTop: boolean) => void;
	onCancel: () => void;
	handle: Ref<ListHandle>;
	above?: ComponentChildren;
	edge: ComponentChildren;
};

export function EventList(props: Props) {
	const { pages } = props;
	pages.version.value;
	const list = useRef<HTMLDivElement>(null);
	const waiting = pages.loading && pages.count === 0;
	const table = lists.value === "table";
	const row = (i: number) => (
		<EventRow
			index={i}
			row={pages.row(i)}
			columns={props.columns}
			zone={props.zone}
			selected={props.selected !== "" && pages.row(i)?.entry.id === props.selected}
			picked={props.picked.has(pages.row(i)?.entry.id ?? "")}
			focused={i === props.focus}
			onOpen={props.onOpen}
			onFocus={props.onFocus}
		/>
	);
	const end = <End pages={pages} edge={props.edge} table={table} />;
	// The template goes through the CSSOM: an attribute would be against the policy of the page.
	useLayoutEffect(() => list.current?.style.setProperty("--columns", template(props.columns)), [props.columns.join()]);
	return (
		<div class={`event-list ${table ? "plain" : ""}`} ref={list}>
			{props.above}
			<Gaps pages={pages} />
			<div
				class="event-grid"
				role="grid"
				aria-multiselectable="true"
				aria-label={t("events")}
				aria-rowcount={pages.done ? pages.count + 1 : -1}
				aria-busy={waiting}
			>
				<div role="rowgroup">
					<div class="event-head" role="row" aria-rowindex={1}>
						{props.columns.map((c) => (
							<span key={c} role="columnheader" class={`cut cell-${c.replace(/[^a-z]/g, "-")}`}>
								{c === "time" && pages.search.order === "occurred" ? t("col.time.sorted", { zone: zoneName(props.zone) }) : columnName(c, zoneName(props.zone))}
							</span>
						))}
					</div>
				</div>
				{waiting ? (
					<Waiting columns={props.columns.length} onCancel={props.onCancel} />
				) : table ? (
					<div class="virtual" role="rowgroup">
						{Array.from({ length: pages.count }, (_, i) => row(i))}
						{end}
					</div>
				) : (
					<VirtualList
						count={pages.count}
						rowClass="event-row"
						handle={props.handle}
						onSight={(low, high, atTop) => {
							pages.look(low, high);
							props.onTop(atTop);
							if (high + (low > 0 ? ahead : aheadAtTop) > pages.count && !pages.problem) void pages.more();
						}}
						row={row}
						after={end}
					/>
				)}
			</div>
		</div>
	);
}

/** What is missing in the list because the store is damaged there. */
export function Gaps(props: { pages: Pages }) {
	const { damaged, search } = props.pages;
	useEffect(() => {
		if (damaged.length > 0) void openLog(search.org).catch(() => undefined); // the server knows of it now: the banner shows
	}, [search.org, damaged.length]);
	return (
		<>
			{damaged.map((d) => (
				<p class="event-gap" role="status" key={d.detail}>
					<span aria-hidden="true">✗ </span>
					{t("events.damaged", { what: d.detail })} <code>{d.finding}</code>
				</p>
			))}
		</>
	);
}

/** What follows the last row: more on its way, the server stopped looking, or the edge of what is kept. */
function End(props: { pages: Pages; edge: ComponentChildren; table: boolean }) {
	return (
		<div role="row">
			<div role="gridcell">
				<EndText {...props} />
			</div>
		</div>
	);
}

function EndText(props: { pages: Pages; edge: ComponentChildren; table: boolean }) {
	const { pages } = props;
	pages.version.value; // its props stay the same while pages are read
	const s = pages.searched;
	if (pages.loading)
		return (
			<p class="event-end muted" aria-busy="true">
				{t("loading")}
			</p>
		);
	if (pages.paused && s) {
		return (
			<p class="event-end">
				{t("events.partial", { days: s.days, of: s.of_days, reason: s.reason ?? "" })}
				<Button small onClick={() => void pages.more(true)}>
					{t("events.continue")}
				</Button>
			</p>
		);
	}
	if (pages.done) return <p class="event-end muted small">{pages.damaged.length > 0 ? t("events.begin.damaged") : props.edge}</p>;
	if (!props.table) return null;
	return (
		<p class="event-end">
			<Button onClick={() => void pages.more()}>{t("events.next")}</Button>
		</p>
	);
}

/** The first answer is on its way: nothing for 150 ms, then rows without text, after 5 s a word. */
function Waiting(props: { columns: number; onCancel: () => void }) {
	const [since, setSince] = useState(0);
	useEffect(() => {
		const timers = [150, 5000].map((ms) => setTimeout(() => setSince(ms), ms));
		return () => timers.forEach(clearTimeout);
	}, []);
	if (since === 0) return null;
	return (
		<>
			{since >= 5000 ? (
				<p class="event-end" role="status">
					{t("events.slow")}
					<Button small onClick={props.onCancel}>
						{t("cancel")}
					</Button>
				</p>
			) : null}
			<div aria-hidden="true">
				{Array.from({ length: 12 }, (_, i) => (
					<div class="event-row" key={i}>
						{Array.from({ length: props.columns }, (_, c) => (
							<span key={c} class="cell">
								<Skeleton width={`${[8, 6, 12 + ((i * 7) % 9), 1][c] ?? 4}rem`} />
							</span>
						))}
					</div>
				))}
			</div>
		</>
	);
}
