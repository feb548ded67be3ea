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
	picked: boolean;
	focused: boolean;
	onOpen: (id: string) => void;
	onFocus: (index: number) => void;
};

/** One line of the list: a row of the grid, or on a phone a card. */
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
			aria-selected={props.selected || props.picked}
			data-picked={props.picked || undefined}
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
					<Cell column={c} row={row} zone={props.zone} />
				</span>
			))}
		</div>
	);
}

function Cell(props: { column: string; row: Row; zone: string }) {
	const e = props.row.entry;
	switch (props.column) {
		case "time":
			return (
				<>
					<time class="mono" dateTime={when(e)}>
						{shortTime(when(e), props.zone)}
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
			return <time class="mono">{shortTime(e.received_at, props.zone)}</time>;
		case "who":
			return <bdi>{read(e).who}</bdi>;
		case "what":
			return <What row={props.row} zone={props.zone} />;
		case "proof":
			return <ProofMark entry={e} />;
		default:
			return <bdi class="mono">{fieldText(e, props.column)}</bdi>;
	}
}

function What(props: { row: Row; zone: string }) {
	const { entry: e, repeats } = props.row;
	const last = repeats[repeats.length - 1];
	return (
		<>
			{e.outcome === "failure" ? <strong class="outcome">✕ {t("outcome.failed")}: </strong> : null}
			{e.outcome === "denied" ? <strong class="outcome">⊘ {t("outcome.denied")}: </strong> : null}
			<bdi>{read(e).what}</bdi>
			{last ? <span class="muted"> {t("events.repeats", { n: repeats.length + 1, period: period(when(last), when(e), props.zone) })}</span> : null}
		</>
	);
}
