import { t } from "../../messages/messages";
import { ProofMark } from "../../ui/proof";
import { period, shortTime, span } from "../../ui/time";
import type { Row } from "./fold";
import { fieldText, read, skew, when } from "./reading";

type Props = {
	index: number;
	row: Row | undefined;
	columns: string[];
	zone: string;
	selected: boolean;
	focused: boolean;
	onOpen: (id: string) => void;
	onFocus: (index: number) => void;
};

/** One line of the list: a row of the grid, or on a phone a card. It reads signals, so it renders again only when its props change. */
export function EventRow(props: Props) {
	const { row, index } = props;
	if (!row) return <div key={`gone-${index}`} class="event-row" role="row" aria-rowindex={index + 2} aria-busy="true" />;
	const e = row.entry;
	return (
		<div
			key={e.id}
			class="event-row"
			role="row"
			aria-rowindex={index + 2}
			aria-selected={props.selected}
			tabIndex={props.focused ? 0 : -1}
			data-row={index}
			title={read(e).whole}
			onClick={(event) => {
				if (!getSelection()?.toString() || event.detail > 1) props.onOpen(e.id);
			}}
			onFocus={() => props.onFocus(index)}
		>
			{props.columns.map((c) => (
				<span key={c} role="gridcell" class={`cell cell-${c.replace(/[^a-z]/g, "-")}`}>
					{cell(c, row, props.zone)}
				</span>
			))}
		</div>
	);
}

/** What stands in a column. A function and no component: there are hundreds of cells, and each component costs. */
function cell(column: string, row: Row, zone: string) {
	const e = row.entry;
	switch (column) {
		case "time":
			return (
				<>
					<time class="mono" dateTime={when(e)}>
						{shortTime(when(e), zone)}
					</time>
					{skew(e) ? (
						<span class="warn" title={t("skew", { span: span(skew(e)) })}>
							{" "}
							⏱<span class="hidden-text">{t("skew", { span: span(skew(e)) })}</span>
						</span>
					) : null}
				</>
			);
		case "received":
			return <time class="mono">{shortTime(e.received_at, zone)}</time>;
		case "who":
			return <bdi>{read(e).who}</bdi>;
		case "what":
			return what(row, zone);
		case "proof":
			return <ProofMark entry={e} />;
		default:
			return <bdi class="mono">{fieldText(e, column)}</bdi>;
	}
}

function what(row: Row, zone: string) {
	const { entry: e, repeats } = row;
	const last = repeats[repeats.length - 1];
	return (
		<>
			{e.outcome === "failure" ? <strong class="outcome">✕ {t("outcome.failed")}: </strong> : null}
			{e.outcome === "denied" ? <strong class="outcome">⊘ {t("outcome.denied")}: </strong> : null}
			<bdi>{read(e).what}</bdi>
			{last ? <span class="muted"> {t("events.repeats", { n: repeats.length + 1, period: period(when(last), when(e), zone) })}</span> : null}
		</>
	);
}
