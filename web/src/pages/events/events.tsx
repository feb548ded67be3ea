// The list of events: home of the console. Everything that it shows is in the address.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import lazy from "preact-iso/lazy";
import { useRoute } from "preact-iso/router";
import { api, Problem } from "../../api/client";
import { summary } from "../../api/logs";
import { number, t } from "../../messages/messages";
import { useLoad } from "../../state/load";
import { loadSentences } from "../../state/sentences";
import { offline } from "../../state/session";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Banner, ProblemBanner, say } from "../../ui/notice";
import { useLog } from "../../ui/proof";
import { dayOf, zoneOf } from "../../ui/time";
import type { ListHandle } from "../../ui/virtual";
import { columnsOf } from "./columns";
import { Facets } from "./facets";
import { Head } from "./head";
import { effective, hides } from "./hidden";
import { Histogram } from "./histogram";
import { copyLinks, useEventKeys, verifyPicked } from "./keys";
import { EventList } from "./list";
import { NoMatch } from "./nomatch";
import type { Search } from "./pages";
import { QueryBox } from "./querybox";
import { RangeMenu, ZoneMenu } from "./range";
import { useLive } from "./uselive";
import { usePages } from "./usepages";

// What comes with a click.
const EventDrawer = lazy(() => import("../event/drawer"));
const ExportDialog = lazy(() => import("../exports/this"));
const ViewForm = lazy(() => import("../views/form"));

/** The range of an address that names none. */
const firstRange = "now-7d";

export default function Events() {
	const org = useRoute().params["org"] ?? "";
	const url = useUrl();
	useLoad((signal) => loadSentences(org, signal), [org]);
	const [q, from, to, tz, all, sel] = [url.get("q"), url.get("from"), url.get("to"), url.get("tz"), url.get("all"), url.get("sel")];
	const zone = zoneOf(tz);
	const named = from !== "" || to !== "" || url.get("range") === "all";
	const since = from || (named || offline.value ? "" : firstRange);
	useEffect(() => {
		if (!named) url.set(offline.value ? { range: "all" } : { from: firstRange });
		document.title = `${t("events")} · Daybook`;
	}, [named]);

	const [round, setRound] = useState(0);
	const search: Search = {
		org,
		q: effective(q, all),
		from: since,
		to,
		tz: zone === "UTC" ? "" : zone,
		order: url.get("order"),
		asc: url.get("asc") === "1",
	};
	const key = JSON.stringify(search);
	const { pages, asking } = usePages(search, `${key} ${round}`);

	const question = { q: search.q ?? "", from: search.from ?? "", to: search.to ?? "", tz: search.tz ?? "" };
	// What stands beside the rows may come later than they, or not at all; what is known of the search before stays meanwhile.
	const facets = useLoad((signal) => api.facets(org, { ...question, top: 64, names: true }, signal), [org, question, round], { keep: true });
	const histogram = useLoad((signal) => api.histogram(org, { ...question, bars: 60 }, signal), [org, question, round], { keep: true });
	const log = useLoad((signal) => summary(org, signal), [org, round], { keep: true });

	useLog(org);
	const list = useRef<ListHandle>(null);
	const [focus, setFocus] = useState(0);
	const [picked, pick] = useState<ReadonlySet<string>>(new Set());
	const [exporting, setExporting] = useState(false);
	const [narrowing, setNarrowing] = useState(false);
	const [saving, setSaving] = useState(false);
	const liveAllowed = !offline.value && search.order !== "occurred" && !search.asc && to === "";
	const live = useLive({ on: url.get("live") === "1" && liveAllowed, pages, list, onOverrun: () => setRound(round + 1) });

	const setRange = (f: string, u: string) => url.set({ from: f, to: u, range: f || u ? null : "all", zoom: null }, true);
	const setQuery = (next: string) => url.set({ q: next }, true);
	const zoom = (f: string, u: string) => url.set({ from: f, to: u, range: null, zoom: `${from}..${to}` }, true);
	const address = useRef(url);
	address.current = url;
	// One function for all times: rows that are given another one are rendered again.
	const open = useCallback((id: string) => address.current.set({ sel: id === address.current.get("sel") ? null : id }, true), []);
	useEventKeys({ url, pages, list, focus, setFocus, range: { from, to, bars: histogram.data?.bars ?? [] }, open, liveAllowed, picked, pick });

	const count = facets.data?.count;
	useEffect(() => {
		if (count) say(t("events.count", { n: count.value }));
	}, [count?.value]);

	const outline = pages.outline.value;
	const problem = asking.outline.value.problem ?? outline.problem;
	const queryProblem = problem instanceof Problem && problem.queryError ? problem.queryError : null;
	const searching = asking !== pages && !problem;
	const oldest = log.data?.oldest;
	const hidden = all !== "1" && hides(q);
	const facetList = (
		<Facets counts={facets.data} busy={facets.loading && !facets.data} failed={facets.problem !== null && !queryProblem} query={q} onQuery={setQuery} />
	);
	return (
		<div class={`events ${sel ? "with-drawer" : ""}`}>
			<Head
				url={url}
				summary={log.data}
				zone={zone}
				live={live.state}
				liveAllowed={liveAllowed}
				onSave={() => setSaving(true)}
				onExport={() => setExporting(true)}
			/>
			<div class="events-tools">
				<QueryBox org={org} tz={search.tz ?? ""} value={q} error={queryProblem} onSearch={setQuery} />
				<RangeMenu from={since} to={to} tz={tz} onRange={setRange} />
				<ZoneMenu tz={tz} onZone={(z) => url.set({ tz: z })} />
			</div>
			<Histogram
				counts={histogram.data}
				busy={histogram.loading && !histogram.data}
				failed={histogram.problem !== null && !queryProblem}
				zone={zone}
				end={to || new Date().toISOString()}
				onZoom={zoom}
			/>
			<div class="events-line">
				<Button small class="facets-button" icon="filter" onClick={() => setNarrowing(true)}>
					{t("facets.open")}
				</Button>
				{hidden ? (
					<button type="button" class="chip" onClick={() => url.set({ all: "1" }, true)} title={t("events.hidden.title")}>
						{t("events.hidden")} <span aria-hidden="true">×</span>
						<span class="hidden-text">{t("events.show-all")}</span>
					</button>
				) : null}
				{all === "1" ? (
					<button type="button" class="chip" onClick={() => url.set({ all: null }, true)}>
						{t("events.hide")}
					</button>
				) : null}
				{url.get("zoom") ? (
					<button type="button" class="chip" onClick={() => unzoom(url)}>
						{t("zoom.reset")}
					</button>
				) : null}
				{picked.size > 0 ? (
					<span class="line nowrap">
						{t("picked", { n: picked.size })}
						<Button small onClick={() => verifyPicked(pages, picked)}>
							{t("key.verify")}
						</Button>
						<Button small onClick={() => copyLinks(org, picked)}>
							{t("picked.links")}
						</Button>
						<Button small kind="plain" icon="x" label={t("picked.none")} onClick={() => pick(new Set())} />
					</span>
				) : null}
				<span class="spacer" />
				<span class="events-count muted tabular">
					{count ? `${number(count.value)}${count.exact ? "" : "+"} ${t("events.word", { n: count.value })}` : "\u00a0"}
				</span>
			</div>
			{log.data?.state === "frozen" && !offline.value ? <Banner kind="warn">{t("events.frozen")}</Banner> : null}
			{log.data?.no_space ? <Banner kind="warn">{t("events.full")}</Banner> : null}
			{problem && !queryProblem ? (
				<ProblemBanner problem={problem} onRetry={() => (asking === pages && pages.count > 0 ? pages.retry() : setRound(round + 1))} />
			) : null}
			<div class="events-body" aria-busy={searching}>
				{searching ? <div class="busy-bar" /> : null}
				{facetList}
				{outline.empty ? (
					<NoMatch search={search} q={q} all={all} onQuery={setQuery} onAll={() => url.set({ all: "1" }, true)} onRange={setRange} />
				) : (
					<EventList
						pages={pages}
						zone={zone}
						columns={columnsOf(url.get("cols"))}
						selected={sel}
						picked={picked}
						focus={focus}
						onFocus={setFocus}
						onOpen={open}
						onTop={live.onTop}
						onCancel={() => pages.cancel()}
						handle={list}
						above={
							live.waiting > 0 ? (
								<button type="button" class="live-pill" onClick={live.show}>
									{live.overrun ? t("live.overrun") : t("live.new", { n: live.waiting })}
								</button>
							) : null
						}
						edge={
							offline.value
								? t("events.edge.file")
								: oldest && oldest.seq > 0
									? t("events.edge", { day: dayOf(oldest.received_at, zone) })
									: t(hidden ? "events.begin.hidden" : "events.begin")
						}
					/>
				)}
				{sel ? <EventDrawer org={org} id={sel} zone={zone} pages={pages} url={url} /> : null}
			</div>
			{narrowing ? (
				<Dialog title={t("facets.open")} onClose={() => setNarrowing(false)}>
					{facetList}
				</Dialog>
			) : null}
			{saving ? <ViewForm org={org} onClose={() => setSaving(false)} /> : null}
			{exporting ? <ExportDialog org={org} search={search} onClose={() => setExporting(false)} /> : null}
		</div>
	);
}

/** Goes back to the range before the zoom. */
export function unzoom(url: ReturnType<typeof useUrl>): boolean {
	const before = url.get("zoom");
	if (!before) return false;
	const at = before.indexOf("..");
	const [from, to] = [before.slice(0, at), before.slice(at + 2)];
	url.set({ from, to, zoom: null, range: from || to ? null : "all" }, true);
	return true;
}
