// The grid of entries: rows in sight only, one of them in the tab order.
import type { Ref } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../../messages/messages";
import { Skeleton } from "../../ui/notice";
import { zoneName } from "../../ui/time";
import { type ListHandle, VirtualList } from "../../ui/virtual";
import type { Pages } from "./pages";
import { EventRow } from "./row";

type Props = { pages: Pages; zone: string; selected: string; onOpen: (id: string) => void; handle: Ref<ListHandle> };

export function EventList(props: Props) {
	const { pages } = props;
	pages.version.value;
	const [focus, setFocus] = useState(0);
	const grid = useRef<HTMLDivElement>(null);
	const first = pages.loading && pages.count === 0;
	useEffect(() => {
		if (props.selected) {
			const at = pages.find(props.selected);
			if (at >= 0) setFocus(at);
		}
	}, [props.selected, pages.count]);
	return (
		<div class="event-list" role="grid" aria-label={t("events")} aria-rowcount={pages.done ? pages.count + 1 : -1} aria-busy={pages.loading} ref={grid}>
			<div class="event-head" role="row" aria-rowindex={1}>
				<span role="columnheader">{t("col.occurred", { zone: zoneName(props.zone) })}</span>
				<span role="columnheader">{t("col.who")}</span>
				<span role="columnheader">{t("col.what")}</span>
			</div>
			{first ? (
				<Waiting />
			) : (
				<VirtualList
					count={pages.count}
					rowClass="event-row"
					handle={props.handle}
					onSight={(low, high) => {
						pages.look(low, high);
						if (high + 60 > pages.count && !pages.problem) void pages.more();
					}}
					row={(i) => (
						<EventRow
							index={i}
							row={pages.row(i)}
							zone={props.zone}
							selected={pages.row(i)?.entry.id === props.selected}
							focused={i === focus}
							onOpen={props.onOpen}
							onFocus={setFocus}
						/>
					)}
					after={pages.loading ? <div class="event-more muted">{t("loading")}</div> : null}
				/>
			)}
		</div>
	);
}

/** The first answer is on its way: nothing for 150 ms, then rows without text. */
function Waiting() {
	const [show, setShow] = useState(false);
	useEffect(() => {
		const timer = setTimeout(() => setShow(true), 150);
		return () => clearTimeout(timer);
	}, []);
	if (!show) return null;
	return (
		<div aria-hidden="true">
			{Array.from({ length: 12 }, (_, i) => (
				<div class="event-row" key={i}>
					<span class="cell-time">
						<Skeleton width="8rem" />
					</span>
					<span class="cell-who">
						<Skeleton width="6rem" />
					</span>
					<span class="cell-what">
						<Skeleton width={`${12 + ((i * 7) % 9)}rem`} />
					</span>
				</div>
			))}
		</div>
	);
}
