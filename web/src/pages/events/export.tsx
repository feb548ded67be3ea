// Exports exactly this query, with its progress. What the file leaves out is said.
import { useEffect, useState } from "preact/hooks";
import { number, t } from "../../messages/messages";
import { Button, LinkButton } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Select } from "../../ui/field";
import { ProblemBanner } from "../../ui/notice";
import { createExport, type Export, finished, getExport } from "../exports/api";
import type { Search } from "./pages";

const formats = ["csv", "ndjson", "parquet", "bundle"] as const;

export function ExportDialog(props: { org: string; search: Search; columns: string[]; onClose: () => void }) {
	const { org, search } = props;
	const [format, setFormat] = useState<string>("csv");
	const [made, setMade] = useState<Export | null>(null);
	const [problem, setProblem] = useState<unknown>(null);
	const running = made !== null && !finished(made);
	useEffect(() => {
		if (!made || !running) return;
		const timer = setTimeout(() => {
			getExport(org, made.id).then(setMade).catch(setProblem);
		}, 500);
		return () => clearTimeout(timer);
	}, [made]);
	const start = () => {
		setProblem(null);
		createExport(org, {
			format,
			query: search.q ?? "",
			...(search.from ? { from: search.from } : {}),
			...(search.to ? { to: search.to } : {}),
			...(search.tz ? { tz: search.tz } : {}),
		})
			.then(setMade)
			.catch(setProblem);
	};
	return (
		<Dialog
			title={t("export.title")}
			onClose={props.onClose}
			foot={
				made === null ? (
					<>
						<Button onClick={props.onClose}>{t("cancel")}</Button>
						<Button kind="primary" onClick={start}>
							{t("export.start")}
						</Button>
					</>
				) : made.state === "ready" && made.url ? (
					<LinkButton kind="primary" icon="download" href={made.url} download>
						{t("export.download")}
					</LinkButton>
				) : undefined
			}
		>
			{problem ? <ProblemBanner problem={problem} onRetry={start} /> : null}
			<dl class="facts">
				<dt>{t("query")}</dt>
				<dd class="mono">{search.q || t("export.everything")}</dd>
				<dt>{t("range")}</dt>
				<dd class="mono">
					{search.from || "…"} – {search.to || t("export.now")}
				</dd>
			</dl>
			{made === null ? (
				<>
					<Select label={t("export.format")} value={format} options={formats.map((f) => [f, t(`export.${f}`)])} onChange={setFormat} />
					<p class="small muted">{t("export.pinned")}</p>
				</>
			) : (
				<Progress made={made} />
			)}
		</Dialog>
	);
}

function Progress(props: { made: Export }) {
	const { made } = props;
	const left = made.left_out;
	const erased = left.erased_entries + left.erased_fields;
	return (
		<div class="stack" role="status">
			{made.state === "ready" ? <p>{t("export.ready", { n: made.rows, bytes: number(made.bytes) })}</p> : null}
			{made.state === "failed" ? <p class="field-error">{t("export.failed", { error: made.error ?? "" })}</p> : null}
			{!finished(made) ? (
				<>
					<progress max={Math.max(1, made.size)} value={made.scanned} aria-label={t("export.title")} />
					<p class="tabular">{t("export.progress", { scanned: number(made.scanned), size: number(made.size), rows: number(made.rows) })}</p>
				</>
			) : null}
			{left.columns.length > 0 ? <p class="small muted">{t("export.left-columns", { columns: left.columns.join(", ") })}</p> : null}
			{erased > 0 ? <p class="small muted">{t("export.left-erased", { n: erased })}</p> : null}
			{made.sha256 ? <p class="small mono">sha256 {made.sha256}</p> : null}
		</div>
	);
}
