// What happened to one thing, or what one person did: the log of a target or an actor, told in order.
import { useEffect } from "preact/hooks";
import lazy from "preact-iso/lazy";
import { useRoute } from "preact-iso/router";
import { wire } from "../../api/json";
import { type Summary, summary } from "../../api/logs";
import type { Entry } from "../../api/types";
import { rowsOf } from "../../diff/model";
import { number } from "../../messages/messages";
import { writeTarget, writeValue } from "../../query/terms";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { loadSentences } from "../../state/sentences";
import { offline } from "../../state/session";
import { useUrl } from "../../state/url";
import { Button, LinkButton } from "../../ui/button";
import { Empty, ProblemBanner, Skeleton } from "../../ui/notice";
import { ProofMark, useLog } from "../../ui/proof";
import { clock, dayOf, zoneOf } from "../../ui/time";
import { Inline } from "../event/changes";
import type { Row } from "../events/fold";
import { effective, hides } from "../events/hidden";
import { Gaps } from "../events/list";
import { type Pages, perPage } from "../events/pages";
import { RangeMenu, ZoneMenu } from "../events/range";
import { read, when } from "../events/reading";
import { usePages } from "../events/usepages";
import { TargetTabs } from "./tabs";
import { t } from "./texts";

const EventDrawer = lazy(() => import("../event/drawer"));

export type Kind = "target" | "actor";

/** The condition that finds what happened to a target, or what an actor did, also through others. */
function condition(kind: Kind, type: string, id: string): string {
	if (kind === "target") return `target:${writeTarget(type, id)}`;
	return `(actor.id:${writeValue(id)} actor.type:${writeValue(type)}) OR via:${writeValue(id)}`;
}

export default function Timeline() {
	const { org = "", type = "", id = "" } = useRoute().params;
	const url = useUrl();
	const kind: Kind = url.path.split("/")[3] === "actors" ? "actor" : "target";
	const [from, to, tz, all, sel] = [url.get("from"), url.get("to"), url.get("tz"), url.get("all"), url.get("sel")];
	const zone = zoneOf(tz);
	const own = condition(kind, type, id);
	const q = effective(own, all);
	const search = { org, q, from, to, tz: zone === "UTC" ? "" : zone, order: "", asc: url.get("asc") === "1" };
	const { pages, asking } = usePages(search, JSON.stringify(search), perPage);
	pages.version.value; // everything that was read is in the page
	useLoad((signal) => loadSentences(org, signal), [org]);
	const log = useLoad((signal) => summary(org, signal), [org]);
	useLog(org);
	const name = nameOf(pages, kind, type, id);
	useEffect(() => {
		document.title = `${name} · Daybook`;
	}, [name]);
	const problem = asking.outline.value.problem ?? pages.problem;
	const events = `/o/${encodeURIComponent(org)}/events?range=all&q=${encodeURIComponent(own)}`;
	return (
		<div class={`events ${sel ? "with-drawer" : ""}`}>
			<div class="page-head">
				<h1>
					<bdi>{visible(name)}</bdi> <span class="mono muted">{visible(`${type}:${id}`)}</span>
				</h1>
				{kind === "target" ? <TargetTabs org={org} type={type} id={id} at="all" /> : null}
				<span class="spacer" />
				<RangeMenu from={from} to={to} tz={tz} onRange={(f, u) => url.set({ from: f, to: u }, true)} />
				<ZoneMenu tz={tz} onZone={(z) => url.set({ tz: z })} />
				<Button onClick={() => url.set({ asc: search.asc ? null : "1" }, true)} icon={search.asc ? "arrow-down" : "arrow-up"}>
					{t(search.asc ? "timeline.oldest" : "timeline.newest")}
				</Button>
				<LinkButton icon="list" href={events}>
					{t("timeline.events")}
				</LinkButton>
			</div>
			<div class="events-line">
				{hides(own) ? (
					<button type="button" class="chip" onClick={() => url.set({ all: all === "1" ? null : "1" }, true)}>
						{t(all === "1" ? "events.hide" : "timeline.reads")}
					</button>
				) : null}
			</div>
			{problem ? <ProblemBanner problem={problem} onRetry={() => asking.retry()} /> : null}
			<div class="events-body">
				<div class="timeline-scroll">
					<Gaps pages={pages} />
					{pages.done && pages.count === 0 ? (
						<Empty title={t("timeline.none")}>
							<p>{t("timeline.none.about")}</p>
						</Empty>
					) : (
						<Told pages={pages} zone={zone} selected={sel} onOpen={(one) => url.set({ sel: one === sel ? null : one }, true)} />
					)}
					<End pages={pages} log={log.data} whole={from === "" && to === ""} zone={zone} />
				</div>
				{sel ? <EventDrawer org={org} id={sel} zone={zone} pages={pages} url={url} /> : null}
			</div>
		</div>
	);
}

/** The name that the newest entry knew it by. */
function nameOf(pages: Pages, kind: Kind, type: string, id: string): string {
	for (let i = 0; i < Math.min(pages.count, 50); i++) {
		const e = pages.row(i)?.entry;
		const party =
			kind === "target" ? e?.targets?.find((one) => one.type === type && one.id === id) : [e?.actor, ...(e?.actor?.via ?? [])].find((one) => one?.id === id);
		if (party?.name) return party.name;
	}
	return id;
}

function Told(props: { pages: Pages; zone: string; selected: string; onOpen: (id: string) => void }) {
	const { pages } = props;
	pages.version.value; // its props stay the same while pages are read
	if (pages.loading && pages.count === 0) {
		return (
			<div class="page-body stack" aria-busy="true">
				<Skeleton width="16rem" />
				<Skeleton width="20rem" />
				<Skeleton width="14rem" />
			</div>
		);
	}
	const days: { day: string; rows: Row[] }[] = [];
	for (let i = 0; i < pages.count; i++) {
		const row = pages.row(i);
		if (!row) continue;
		const day = dayOf(when(row.entry), props.zone);
		const last = days.at(-1);
		if (last?.day === day) last.rows.push(row);
		else days.push({ day, rows: [row] });
	}
	return (
		<ol class="timeline">
			{days.map(({ day, rows }) => (
				<li key={day}>
					<h2 class="timeline-day">{day}</h2>
					<ol>
						{rows.map((row) => (
							<Moment key={row.entry.id} of={row} zone={props.zone} selected={row.entry.id === props.selected} onOpen={() => props.onOpen(row.entry.id)} />
						))}
					</ol>
				</li>
			))}
		</ol>
	);
}

/** Changes shown beside the sentence; the rest is one click away. */
const shownChanges = 3;

function Moment(props: { of: Row; zone: string; selected: boolean; onOpen: () => void }) {
	const { entry, repeats } = props.of;
	const changes = rowsOf(wire(entry.changes));
	return (
		<li class={`moment ${props.selected ? "selected" : ""}`}>
			<time class="mono muted" dateTime={when(entry)}>
				{clock(when(entry), props.zone)}
			</time>
			<div class="moment-told">
				<button type="button" class="moment-open" onClick={props.onOpen} aria-expanded={props.selected}>
					<Outcome of={entry} />
					<bdi>{read(entry).whole}</bdi>
					{repeats.length > 0 ? <span class="muted"> {t("timeline.times", { n: repeats.length + 1 })}</span> : null}
				</button>
				{changes.length > 0 ? (
					<ul class="moment-changes">
						{changes.slice(0, shownChanges).map((row) => (
							<li key={row.path} class="mono">
								<span class="muted">{row.names.join(" / ")}</span> <span class="hidden-text">{row.spoken}</span>
								<span aria-hidden="true">
									<Inline row={row} />
								</span>
							</li>
						))}
						{changes.length > shownChanges ? <li class="muted small">{t("timeline.more", { n: changes.length - shownChanges })}</li> : null}
					</ul>
				) : null}
			</div>
			<ProofMark entry={entry} />
		</li>
	);
}

function Outcome(props: { of: Entry }) {
	if (props.of.outcome === "failure")
		return (
			<strong class="outcome" aria-hidden="true">
				✕{" "}
			</strong>
		);
	if (props.of.outcome === "denied")
		return (
			<strong class="outcome" aria-hidden="true">
				⊘{" "}
			</strong>
		);
	return null;
}

/** Says whether this is all there ever was. */
function End(props: { pages: Pages; log: Summary | undefined; whole: boolean; zone: string }) {
	const { pages, log } = props;
	pages.version.value;
	if (pages.loading) {
		return (
			<p class="event-end muted" aria-busy="true">
				{t("loading")}
			</p>
		);
	}
	if (!pages.done) {
		return (
			<p class="event-end">
				{pages.paused && pages.searched
					? t("events.partial", { days: pages.searched.days, of: pages.searched.of_days, reason: pages.searched.reason ?? "" })
					: null}
				<Button onClick={() => void pages.more(true)}>{t("timeline.load", { n: number(pages.count) })}</Button>
			</p>
		);
	}
	if (pages.damaged.length > 0) return <p class="event-end muted small">{t("events.begin.damaged")}</p>;
	if (!props.whole || !log || pages.count === 0) return null;
	const file = offline.value; // of what was left out of it, or came later, nothing is known
	const cut = log.oldest !== undefined && log.oldest.seq > 0;
	return (
		<p class="event-end muted small">
			{file ? t("timeline.file") : cut && log.oldest ? t("timeline.incomplete", { day: dayOf(log.oldest.received_at, props.zone) }) : t("timeline.exact")}
		</p>
	);
}
