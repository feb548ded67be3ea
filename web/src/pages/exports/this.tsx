// Exports exactly this query, with its progress. What the file leaves out is said as the page of exports says it.
import { useEffect, useState } from "preact/hooks";
import { visible } from "../../sentence/visible";
import { useChange } from "../../state/load";
import { ActDialog } from "../../ui/act";
import { LinkButton } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { ProblemBanner } from "../../ui/notice";
import type { Search } from "../events/pages";
import { createExport, type Export, finished, getExport } from "./api";
import { leftOut } from "./details";
import { ExportProgress } from "./exports";
import { Formats } from "./form";
import { t } from "./texts";

export default function ExportDialog(props: { org: string; search: Search; onClose: () => void }) {
	const { org, search } = props;
	const [format, setFormat] = useState<string>("csv");
	const [made, setMade] = useState<Export | null>(null);
	const change = useChange();
	const start = () =>
		change.run(async () => {
			const { q, from, to, tz } = search;
			setMade(await createExport(org, { format, query: q ?? "", ...(from ? { from } : {}), ...(to ? { to } : {}), ...(tz ? { tz } : {}) }));
		});
	if (made) return <Made org={org} of={made} onClose={props.onClose} />;
	return (
		<ActDialog title={t("exports.this")} act={t("exports.make")} change={change} onClose={props.onClose} onAct={start}>
			<dl class="facts">
				<dt>{t("query")}</dt>
				<dd class="mono">{visible(search.q ?? "") || t("exports.everything")}</dd>
				<dt>{t("range")}</dt>
				<dd class="mono">
					{search.from || "…"} – {search.to || t("exports.now")}
				</dd>
			</dl>
			<Formats value={format} onChange={setFormat} />
			<p class="small muted">{t("exports.pinned.now")}</p>
		</ActDialog>
	);
}

/** An export that was asked for, until it is there. */
function Made(props: { org: string; of: Export; onClose: () => void }) {
	const [now, setNow] = useState(props.of);
	const [problem, setProblem] = useState<unknown>(null);
	const ask = () => {
		setProblem(null);
		getExport(props.org, now.id).then(setNow).catch(setProblem);
	};
	useEffect(() => {
		if (finished(now)) return;
		const timer = setTimeout(ask, 500);
		return () => clearTimeout(timer);
	}, [now]);
	return (
		<Dialog
			title={t("exports.this")}
			onClose={props.onClose}
			foot={
				now.state === "ready" && now.url ? (
					<LinkButton kind="primary" icon="download" href={now.url} download>
						{t("download")}
					</LinkButton>
				) : undefined
			}
		>
			{problem ? <ProblemBanner problem={problem} onRetry={ask} /> : null}
			<div class="stack" role="status">
				<ExportProgress of={now} />
				<p class="muted">{leftOut(now)}</p>
				{now.sha256 ? <p class="small mono">sha256 {now.sha256}</p> : null}
			</div>
		</Dialog>
	);
}
