// The exports of an organization: what is being written, what can be fetched, and a new one.
import { useEffect } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { number } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { useChange, useLoad } from "../../state/load";
import { useUrl } from "../../state/url";
import { Button, LinkButton } from "../../ui/button";
import { Empty, ProblemBanner, toast } from "../../ui/notice";
import { shortTime, zoneName, zoneOf } from "../../ui/time";
import { cancelExport, createExport, type Export, finished, getExport, listExports } from "./api";
import { ExportDetails } from "./details";
import { NewExportDialog } from "./form";
import { Progress, percent } from "./progress";
import { t } from "./texts";

export default function Exports() {
	const { org = "", id = "" } = useRoute().params;
	const url = useUrl();
	const zone = zoneOf(url.get("tz"));
	const list = useLoad((signal) => listExports(org, signal), [org], { every: (data) => (data?.some((x) => !finished(x)) ? 1500 : 0) });
	useEffect(() => {
		document.title = `${t("exports")} · Daybook`;
	}, []);
	const home = `/o/${encodeURIComponent(org)}/exports`;
	const change = useChange();
	const retry = (x: Export) =>
		change.run(async () => {
			await createExport(org, {
				format: x.format,
				compression: x.compression,
				query: x.query,
				...(x.from ? { from: x.from } : {}),
				...(x.to ? { to: x.to } : {}),
				...(x.columns ? { columns: x.columns } : {}),
			});
			list.again();
		});
	const cancel = (x: Export) =>
		change.run(async () => {
			await cancelExport(org, x.id);
			list.again();
		});
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("exports")}</h1>
				<span class="spacer" />
				<Button kind="primary" icon="plus" onClick={() => url.set({ new: "1" }, true)}>
					{t("exports.new")}
				</Button>
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			{change.problem ? <ProblemBanner problem={change.problem} /> : null}
			<div class="page-body">
				{list.data?.length === 0 ? (
					<Empty title={t("exports.none")}>
						<p>{t("exports.none.about")}</p>
						<Button onClick={() => url.set({ new: "1" }, true)}>{t("exports.new")}</Button>
					</Empty>
				) : null}
				{list.data && list.data.length > 0 ? (
					<div class="scroll-x">
						<table class="table cards" aria-label={t("exports")}>
							<thead>
								<tr>
									<th scope="col">{t("exports.what")}</th>
									<th scope="col">{t("exports.format")}</th>
									<th scope="col">{t("exports.state")}</th>
									<th scope="col">{t("exports.made", { zone: zoneName(zone) })}</th>
									<th scope="col">
										<span class="hidden-text">{t("actions")}</span>
									</th>
								</tr>
							</thead>
							<tbody>
								{list.data.map((x) => (
									<ExportRow key={x.id} of={x} zone={zone} href={`${home}/${x.id}`} busy={change.busy} onCancel={() => cancel(x)} onRetry={() => retry(x)} />
								))}
							</tbody>
						</table>
					</div>
				) : null}
			</div>
			{url.get("new") ? (
				<NewExportDialog
					org={org}
					query={url.get("q")}
					from={url.get("from")}
					to={url.get("to")}
					onClose={() => url.set({ new: null, q: null, from: null, to: null })}
					onMade={() => {
						url.set({ new: null, q: null, from: null, to: null });
						toast(t("exports.begun"));
						list.again();
					}}
				/>
			) : null}
			{id ? <Details key={id} org={org} id={id} known={list.data?.find((x) => x.id === id)} zone={zone} onClose={() => url.go(home)} /> : null}
		</div>
	);
}

/** What an export holds, in a line. */
export function rangeOf(x: Export, zone: string): string {
	if (x.from && x.to) return t("exports.between", { from: shortTime(x.from, zone), to: shortTime(x.to, zone) });
	if (x.from) return t("exports.since", { from: shortTime(x.from, zone) });
	if (x.to) return t("exports.until", { to: shortTime(x.to, zone) });
	return t("exports.whole");
}

/** A number of bytes as people say it. */
export function bytes(n: number): string {
	const units = ["B", "KB", "MB", "GB", "TB"];
	let size = n;
	let i = 0;
	for (; size >= 1000 && i < units.length - 1; i++) size /= 1000;
	return `${number(i === 0 ? size : Math.round(size * 10) / 10)} ${units[i]}`;
}

function ExportRow(props: { of: Export; zone: string; href: string; busy: boolean; onCancel: () => void; onRetry: () => void }) {
	const x = props.of;
	return (
		<tr>
			<td>
				<a class="mono" href={props.href}>
					{visible(x.query) || t("exports.everything")}
				</a>
				<div class="muted small">{rangeOf(x, props.zone)}</div>
			</td>
			<td data-label={t("exports.format")}>{t(`exports.format.${x.format}`)}</td>
			<td data-label={t("exports.state")}>
				<ExportProgress of={x} />
				{x.warning ? <div class="danger small">✗ {t("exports.warning", { what: visible(x.warning) })}</div> : null}
			</td>
			<td class="tabular nowrap" data-label={t("exports.made", { zone: zoneName(props.zone) })}>
				{shortTime(x.created_at, props.zone)}
			</td>
			<td>
				<div class="line end nowrap">
					{x.state === "ready" && x.url ? (
						<LinkButton small icon="download" href={x.url} download label={`${t("download")} ${visible(x.query) || t("exports.everything")}`}>
							{t("download")}
						</LinkButton>
					) : null}
					{!finished(x) ? (
						<Button small disabled={props.busy} onClick={props.onCancel}>
							{t("cancel")}
						</Button>
					) : null}
					{x.state === "failed" || x.state === "cancelled" || x.state === "expired" ? (
						<Button small icon="rotate-cw" disabled={props.busy} onClick={props.onRetry}>
							{t("exports.again")}
						</Button>
					) : null}
				</div>
			</td>
		</tr>
	);
}

/** How far it is, in words and as a bar. */
export function ExportProgress(props: { of: Export }) {
	const x = props.of;
	if (x.state === "ready") return <span>{t("exports.ready", { n: x.rows, size: bytes(x.bytes) })}</span>;
	if (x.state === "failed") return <span class="danger">{t("exports.failed", { at: percent(x.scanned, x.size), error: visible(x.error ?? "") })}</span>;
	if (x.state !== "running") return <span class="muted">{t(`exports.state.${x.state}`)}</span>;
	return <Progress done={x.scanned} of={x.size} since={x.started_at} />;
}

function Details(props: { org: string; id: string; known: Export | undefined; zone: string; onClose: () => void }) {
	const one = useLoad((signal) => getExport(props.org, props.id, signal), [props.org, props.id, props.known?.state, props.known?.scanned]);
	return <ExportDetails of={one.data ?? props.known} problem={one.problem} zone={props.zone} onClose={props.onClose} />;
}
