// What changed: one row a value, texts word by word. The structure comes from the server.
import { useState } from "preact/hooks";
import { wire } from "../../api/json";
import type { Entry } from "../../api/types";
import { type Row, rowsOf, type Shown } from "../../diff/model";
import type { Run } from "../../diff/words";
import { Check } from "../../ui/field";
import { t } from "./texts";

/** changes as the API gives them. */
export function Changes(props: { changes: Entry["changes"] }) {
	const [side, setSide] = useState(false);
	const rows = rowsOf(wire(props.changes));
	return (
		<div class="changes">
			<Check checked={side} onChange={setSide}>
				{t("changes.side")}
			</Check>
			<table class={`diff ${side ? "side" : ""}`}>
				<thead class="hidden-text">
					<tr>
						<th scope="col">{t("changes.where")}</th>
						<th scope="col">{t("changes.what")}</th>
					</tr>
				</thead>
				<tbody>
					{rows.map((row, i) => (
						<tr key={i}>
							<th scope="row" class="mono">
								{row.names.map((n, at) => (
									<span key={at}>
										{at > 0 ? <span class="muted"> / </span> : null}
										<bdi>{n}</bdi>
									</span>
								))}
							</th>
							<td class="mono">
								<span class="hidden-text">{row.spoken}</span>
								<div aria-hidden="true">{side ? <Sides row={row} /> : <Inline row={row} />}</div>
							</td>
						</tr>
					))}
				</tbody>
			</table>
		</div>
	);
}

/** A change in one line: what was, and what is. */
export function Inline(props: { row: Row }) {
	const { row } = props;
	if (row.is === "value") {
		return (
			<>
				{row.before ? <Del shown={row.before} /> : null}
				{row.before && row.after ? <span class="muted"> → </span> : null}
				{row.after ? <Ins shown={row.after} added={!row.before} /> : null}
			</>
		);
	}
	if (row.is === "list") {
		return (
			<ul>
				{row.items.map((one, i) => (
					<li key={i}>{one.op === "+" ? <Ins shown={one.shown} added /> : <Del shown={one.shown} gone />}</li>
				))}
			</ul>
		);
	}
	return <Runs runs={row.runs} />;
}

function Sides(props: { row: Row }) {
	const { row } = props;
	if (row.is === "list") return <Inline row={row} />;
	if (row.is === "value") {
		return (
			<div class="sides">
				<div>{row.before ? <Del shown={row.before} /> : null}</div>
				<div>{row.after ? <Ins shown={row.after} added={false} /> : null}</div>
			</div>
		);
	}
	return (
		<div class="sides">
			<div>
				<Runs runs={row.runs.filter((r) => r.kind !== "ins")} />
			</div>
			<div>
				<Runs runs={row.runs.filter((r) => r.kind !== "del")} />
			</div>
		</div>
	);
}

function Del(props: { shown: Shown; gone?: boolean }) {
	return (
		<del class={`change-text ${props.shown.type}`}>
			{props.gone ? "− " : ""}
			<bdi>{props.shown.text}</bdi>
		</del>
	);
}

function Ins(props: { shown: Shown; added: boolean }) {
	return (
		<ins class={`change-text ${props.shown.type}`}>
			{props.added ? "+ " : ""}
			<bdi>{props.shown.text}</bdi>
		</ins>
	);
}

/** Deleted and inserted text side by side would read as one: there is always a gap between them. */
function Runs(props: { runs: Run[] }) {
	return (
		<span class="change-text">
			{props.runs.map((r, i) => {
				if (r.kind === "same") return <span key={i}>{r.text}</span>;
				const gap = r.kind === "ins" && props.runs[i - 1]?.kind === "del" ? " " : "";
				return (
					<span key={i}>
						{gap}
						{r.kind === "del" ? <del>{r.text}</del> : <ins>{r.text}</ins>}
					</span>
				);
			})}
		</span>
	);
}
