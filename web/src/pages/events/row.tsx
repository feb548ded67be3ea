import { t } from "../../messages/messages";
import { shortTime } from "../../ui/time";
import type { Row } from "./fold";
import { whatDone, whoDid } from "./reading";

/** Received so much later or earlier than it occurred, in milliseconds, that the clocks want a look; 0: all is well. */
export function skew(received: string, occurred: string | undefined): number {
	if (!occurred) return 0;
	const late = new Date(received).getTime() - new Date(occurred).getTime();
	return late > 300_000 || late < -60_000 ? late : 0;
}

type Props = {
	index: number;
	row: Row | undefined;
	zone: string;
	selected: boolean;
	focused: boolean;
	onOpen: (id: string) => void;
	onFocus: (index: number) => void;
};

/** One line of the list. */
export function EventRow(props: Props) {
	const { row, index } = props;
	if (!row) {
		return <div key={`gone-${index}`} class="event-row" role="row" aria-rowindex={index + 2} aria-busy="true" />;
	}
	const e = row.entry;
	const who = whoDid(e);
	const what = whatDone(e);
	const outcome = e.outcome === "failure" ? t("outcome.failed") : e.outcome === "denied" ? t("outcome.denied") : "";
	const last = row.repeats[row.repeats.length - 1];
	return (
		<div
			key={e.id}
			class="event-row"
			role="row"
			aria-rowindex={index + 2}
			aria-selected={props.selected}
			tabIndex={props.focused ? 0 : -1}
			data-id={e.id}
			title={`${who} ${outcome ? `${outcome}: ` : ""}${what}`}
			onClick={() => props.onOpen(e.id)}
			onFocus={() => props.onFocus(index)}
		>
			<span role="gridcell" class="cell-time mono">
				{shortTime(e.occurred_at ?? e.received_at, props.zone)}
				{skew(e.received_at, e.occurred_at) ? <span class="warn"> ⏱</span> : null}
			</span>
			<span role="gridcell" class="cell-who cut">
				{who}
			</span>
			<span role="gridcell" class="cell-what cut">
				{outcome ? (
					<strong class="outcome">
						{e.outcome === "failure" ? "✕" : "⊘"} {outcome}:{" "}
					</strong>
				) : null}
				{what}
				{last ? (
					<span class="muted">
						{" "}
						{t("events.repeats", {
							n: row.repeats.length + 1,
							from: shortTime(last.occurred_at ?? last.received_at, props.zone),
							to: shortTime(e.occurred_at ?? e.received_at, props.zone),
						})}
					</span>
				) : null}
			</span>
		</div>
	);
}
