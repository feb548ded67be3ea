// The figures of the instance: what one looks at first, large, each with a way to its cause; the rest below.
import { number } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { can } from "../../state/session";
import { span } from "../../ui/time";
import { bytes } from "../exports/exports";
import type { Clocks, Instance, Job, Node } from "./api";
import { t } from "./texts";

type Figure = { name: string; value: string; note?: string; href?: string | undefined; warn?: boolean };

/** From how many seconds on a clock that is ahead wants a look: as in the list of events. */
const AHEAD = 60;

/** The events of an organization, with both times. */
const timesOf = (org: string | undefined) =>
	org && can("read") ? `/o/${encodeURIComponent(org)}/events?cols=${encodeURIComponent("time,received,who,what,proof")}` : undefined;

function clockFigure(c: Clocks | undefined): Figure {
	const name = t("admin.ahead");
	if (!c) return { name, value: "–", note: t("admin.clocks.none") };
	if (c.ahead_s === 0) return { name, value: "0", note: t("admin.ahead.none") };
	return {
		name,
		value: span(c.ahead_s * 1000),
		note: t("admin.in", { org: visible(c.ahead_org ?? "") }),
		href: timesOf(c.ahead_org),
		warn: c.ahead_s >= AHEAD,
	};
}

function jobFigure(jobs: Job[]): Figure {
	const running = jobs.filter((j) => j.state === "running").length;
	return { name: t("admin.jobs.running"), value: number(running), note: t("admin.jobs.waiting", { n: jobs.length - running }), href: "/admin/jobs" };
}

function largeOf(of: Instance): Figure[] {
	const counted = (c: { value: number; exact: boolean }) => (c.exact ? number(c.value) : t("admin.least", { n: number(c.value) }));
	const { node, storage_bytes: stored, entries } = of;
	const each = stored !== undefined && entries.exact && entries.value > 0 ? { note: t("admin.each", { size: bytes(Math.round(stored / entries.value)) }) } : {};
	const all: Figure[] = [
		{ name: t("admin.orgs"), value: counted(of.organizations), href: "/admin/orgs" },
		{ name: t("admin.entries"), value: counted(entries), href: "/admin/orgs" },
		{ name: t("admin.storage"), value: stored === undefined ? t("admin.elsewhere") : bytes(stored), ...each },
	];
	if (node) {
		all.push({
			name: t("admin.rate"),
			value: node.over_s > 0 ? t("admin.rate.n", { n: number(node.recorded_per_second) }) : "–",
			note: node.over_s > 0 ? t("admin.rate.over", { time: span(node.over_s * 1000) }) : t("admin.rate.soon"),
		});
		all.push({
			name: t("admin.p99"),
			value: node.commits_measured > 0 ? span(node.commit_p99_s * 1000) : "–",
			note: t("admin.p99.of", { n: node.commits_measured }),
		});
		all.push({ name: t("admin.debt"), value: number(node.merge_debt), note: t("admin.debt.about") });
		all.push(clockFigure(node.clocks));
	}
	all.push(jobFigure(of.jobs));
	return all;
}

export function Figures(props: { of: Instance }) {
	const { of } = props;
	const { node } = of;
	return (
		<>
			{node && node.frozen_logs > 0 ? (
				<p class="admin-alarm danger">
					{t("admin.frozen", { n: node.frozen_logs })} <a href="/admin/orgs">{t("admin.orgs")}</a>
				</p>
			) : null}
			{node && node.erasures_overdue > 0 ? <p class="admin-alarm warn">{t("admin.overdue", { n: node.erasures_overdue })}</p> : null}
			{node && node.self_audit_lost > 0 ? <p class="admin-alarm danger">{t("admin.lost", { n: node.self_audit_lost })}</p> : null}
			<dl class="figures">
				{largeOf(of).map((f) => (
					<div key={f.name}>
						<dt>{f.name}</dt>
						<dd>
							<span class={`figure tabular${f.warn ? " warn" : ""}`}>{f.href ? <a href={f.href}>{f.value}</a> : f.value}</span>
							{f.note ? <span class="muted small">{f.note}</span> : null}
						</dd>
					</div>
				))}
			</dl>
			<dl class="facts">
				<dt>{t("admin.version")}</dt>
				<dd>
					{visible(of.version)} <span class="muted">{of.go}</span>
				</dd>
				<dt>{t("admin.url")}</dt>
				<dd class="mono">{visible(of.url)}</dd>
				<dt>{t("admin.signing")}</dt>
				<dd>{t(of.signing ? "admin.signing.on" : "admin.signing.off")}</dd>
				{node ? <NodeFacts of={node} /> : null}
			</dl>
		</>
	);
}

function NodeFacts(props: { of: Node }) {
	const node = props.of;
	const late = node.clocks && node.clocks.late_s > 0 ? node.clocks : undefined;
	const org = late ? timesOf(late.late_org) : undefined;
	return (
		<>
			{node.name ? (
				<>
					<dt>{t("admin.node")}</dt>
					<dd class="mono">{visible(node.name)}</dd>
				</>
			) : null}
			{node.background === undefined ? null : (
				<>
					<dt>{t("admin.background")}</dt>
					<dd>{t(node.background ? "admin.background.here" : "admin.background.there")}</dd>
				</>
			)}
			<dt>{t("admin.queue")}</dt>
			<dd>{t("admin.queue.n", { size: bytes(node.queue_bytes), n: node.tail_entries })}</dd>
			<dt>{t("admin.removals")}</dt>
			<dd>{number(node.removals)}</dd>
			{late ? (
				<>
					<dt>{t("admin.late")}</dt>
					<dd>
						{span(late.late_s * 1000)} <span class="muted">{t("admin.in", { org: visible(late.late_org ?? "") })}</span>{" "}
						{org ? <a href={org}>{t("nav.events")}</a> : null}
					</dd>
				</>
			) : null}
			<dt>{t("admin.logs")}</dt>
			<dd>{number(node.open_logs)}</dd>
		</>
	);
}
