import { t } from "../../messages/messages";
import { Icon } from "../../ui/icon";
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
			aria-selected={props.selected || props.picked}
			data-picked={props.picked || undefined}
			tabIndex={props.focused ? 0 : -1}
			data-row={index}
			onClick={(event) => {
				if (!getSelection()?.toString() || event.detail > 1) props.onOpen(e.id);
			}}
			onFocus={() => props.onFocus(index)}
		>
			{props.columns.map((c) => (
				<span key={c} role="gridcell" class={`cell cell-${c.replace(/[^a-z]/g, "-")}`} title={titleOf(c, row, props.zone)}>
					{cell(c, row, props.zone)}
				</span>
			))}
		</div>
	);
}

/** The text of a cell that may be cut off, for a tooltip. It says what the cell says: readers who hear both hear it once. */
function titleOf(column: string, row: Row, zone: string): string | undefined {
	if (column === "time" || column === "received" || column === "proof") return undefined;
	if (column === "who") return read(row.entry).who;
	return column === "what" ? [read(row.entry).what, repeated(row, zone)].filter(Boolean).join(" ") : fieldText(row.entry, column);
}

/** How often the entry of a row came again, and when; "" when it did not. */
function repeated(row: Row, zone: string): string {
	const last = row.repeats.at(-1);
	return last ? t("events.repeats", { n: row.repeats.length + 1, period: period(when(last), when(row.entry), zone) }) : "";
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
	const e = row.entry;
	const again = repeated(row, zone);
	return (
		<>
			{e.held ? (
				<span class="event-held" title={t("held")}>
					<Icon name="lock" />
					<span class="hidden-text">{t("held")}. </span>
				</span>
			) : null}
			<Outcome of={e} />
			<bdi>{read(e).what}</bdi>
			{again ? <span class="muted"> {again}</span> : null}
		</>
	);
}

/** That it failed or was denied, in a sign and a word. */
function Outcome(props: { of: Row["entry"] }) {
	const outcome = props.of.outcome;
	if (outcome !== "failure" && outcome !== "denied") return null;
	return (
		<strong class="outcome">
			<span aria-hidden="true">{outcome === "failure" ? "✕" : "⊘"}</span> {t(outcome === "failure" ? "outcome.failed" : "outcome.denied")}:{" "}
		</strong>
	);
}
