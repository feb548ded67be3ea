// Exports exactly this query, with its progress. What the file leaves out is said.
import { useEffect, useState } from "preact/hooks";
import { ask } from "../../api/client";
import { number, t } from "../../messages/messages";
import { Button, LinkButton } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Select } from "../../ui/field";
import { ProblemBanner } from "../../ui/notice";
import type { Search } from "./pages";

type Export = {
	id: string;
	state: "pending" | "running" | "ready" | "failed" | "cancelled" | "expired";
	size: number;
	scanned: number;
	rows: number;
	bytes: number;
	sha256?: string | null;
	url?: string | null;
	error?: string | null;
	left_out?: { entries?: number; columns?: string[]; erased_entries?: number; erased_fields?: number };
};

const formats = ["csv", "ndjson", "parquet", "bundle"] as const;

export function ExportDialog(props: { org: string; search: Search; columns: string[]; onClose: () => void }) {
	const { org, search } = props;
	const [format, setFormat] = useState<string>("csv");
	const [made, setMade] = useState<Export | null>(null);
	const [problem, setProblem] = useState<unknown>(null);
	const running = made?.state === "pending" || made?.state === "running";
	useEffect(() => {
		if (!made || !running) return;
		const timer = setTimeout(() => {
			ask<Export>(`/v1/exports/${made.id}`, { org }).then(setMade).catch(setProblem);
		}, 500);
		return () => clearTimeout(timer);
	}, [made]);
	const start = () => {
		setProblem(null);
		ask<Export>("/v1/exports", {
			org,
			body: { format, query: search.q, from: search.from || undefined, to: search.to || undefined, tz: search.tz || undefined },
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
					<Button kind="primary" onClick={start}>
						{t("export.start")}
					</Button>
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
	const erased = (left?.erased_entries ?? 0) + (left?.erased_fields ?? 0);
	return (
		<div class="stack" role="status">
			{made.state === "ready" ? <p>{t("export.ready", { n: made.rows, bytes: number(made.bytes) })}</p> : null}
			{made.state === "failed" ? <p class="field-error">{t("export.failed", { error: made.error ?? "" })}</p> : null}
			{made.state === "pending" || made.state === "running" ? (
				<>
					<progress max={Math.max(1, made.size)} value={made.scanned} aria-label={t("export.title")} />
					<p class="tabular">{t("export.progress", { scanned: number(made.scanned), size: number(made.size), rows: number(made.rows) })}</p>
				</>
			) : null}
			{left?.columns?.length ? <p class="small muted">{t("export.left-columns", { columns: left.columns.join(", ") })}</p> : null}
			{erased > 0 ? <p class="small muted">{t("export.left-erased", { n: erased })}</p> : null}
			{made.sha256 ? <p class="small mono">sha256 {made.sha256}</p> : null}
		</div>
	);
}
