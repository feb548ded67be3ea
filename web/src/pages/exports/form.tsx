// The dialog for a new export.
import { useState } from "preact/hooks";
import { api, Problem } from "../../api/client";
import { number } from "../../messages/messages";
import { against, useChange, useLoad } from "../../state/load";
import { ActDialog } from "../../ui/act";
import { Field, Select } from "../../ui/field";
import { createExport } from "./api";
import { t } from "./texts";

const formats = ["csv", "ndjson", "parquet", "bundle"] as const;

export function NewExportDialog(props: { org: string; query: string; from: string; to: string; onClose: () => void; onMade: () => void }) {
	const [query, setQuery] = useState(props.query);
	const [from, setFrom] = useState(props.from);
	const [to, setTo] = useState(props.to);
	const [tz, setTz] = useState("UTC");
	const [format, setFormat] = useState<string>("csv");
	const [columns, setColumns] = useState("");
	const change = useChange();
	const zone = tz === "UTC" ? "" : tz;
	const count = useCount(props.org, { q: query, from, to, tz: zone });
	const at = (field: string) => against(change.problem, field);
	const submit = () =>
		change.run(async () => {
			const names = columns.split(",").map((name) => name.trim());
			await createExport(props.org, {
				format,
				query,
				...(from ? { from } : {}),
				...(to ? { to } : {}),
				...(zone ? { tz: zone } : {}),
				...(columns.trim() && (format === "csv" || format === "parquet") ? { columns: names.filter(Boolean) } : {}),
			});
			props.onMade();
		});
	return (
		<ActDialog
			title={t("exports.new")}
			act={t(change.busy ? "exports.making" : "exports.make")}
			change={change}
			fields={["query", "from", "to", "columns"]}
			onClose={props.onClose}
			onAct={submit}
		>
			<Field label={t("query")} mono value={query} onInput={setQuery} error={at("query")} note={t("exports.query.note")} attributes={{ spellcheck: false }} />
			<div class="pair">
				<Field label={t("from")} mono value={from} onInput={setFrom} error={at("from")} attributes={{ placeholder: "2026-07-01" }} />
				<Field label={t("to")} mono value={to} onInput={setTo} error={at("to")} attributes={{ placeholder: "now" }} />
				<Select label={t("zone")} value={tz} onChange={setTz} options={zones()} />
			</div>
			<Formats value={format} onChange={setFormat} />
			{format === "csv" || format === "parquet" ? (
				<Field
					label={t("exports.columns")}
					mono
					value={columns}
					onInput={setColumns}
					error={at("columns")}
					note={t("exports.columns.note")}
					attributes={{ spellcheck: false }}
				/>
			) : null}
			<p class="muted" role="status">
				{count}
			</p>
		</ActDialog>
	);
}

/** The formats of a file, and what each is for. */
export function Formats(props: { value: string; onChange: (format: string) => void }) {
	return (
		<fieldset class="choices">
			<legend class="field-label">{t("exports.format")}</legend>
			{formats.map((name) => (
				<label key={name} class="choice">
					<input type="radio" name="format" checked={props.value === name} onChange={() => props.onChange(name)} />
					<span>
						{t(`exports.format.${name}`)}
						<span class="muted small"> {t(`exports.format.${name}.about`)}</span>
					</span>
				</label>
			))}
		</fieldset>
	);
}

/** UTC, then where the browser is. */
function zones(): [string, string][] {
	const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
	return here && here !== "UTC"
		? [
				["UTC", "UTC"],
				[here, here],
			]
		: [["UTC", "UTC"]];
}

/** How many events there would be, in words. */
function useCount(org: string, question: { q: string; from: string; to: string; tz: string }): string {
	const found = useLoad(
		async (signal) => {
			await new Promise((resolve) => setTimeout(resolve, 300));
			return signal.aborted ? undefined : api.facets(org, { ...question, fields: "action", top: 1 }, signal);
		},
		[org, question],
	);
	if (found.problem instanceof Problem) return found.problem.queryError?.message ?? found.problem.message;
	if (!found.data) return t("exports.counting");
	const { value, exact } = found.data.count;
	return exact ? t("exports.count", { n: value }) : t("exports.count.least", { n: number(value) });
}
