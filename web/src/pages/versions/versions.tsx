// What a thing was after each of its events: the list, two of them compared, and the way back.
import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { visibleLines } from "../../diff/model";
import { writeTarget } from "../../query/terms";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Icon } from "../../ui/icon";
import { Empty, ProblemBanner, Skeleton } from "../../ui/notice";
import { shortTime, zoneName, zoneOf } from "../../ui/time";
import { nameOf as nameOfActor } from "../event/names";
import { ZoneMenu } from "../events/range";
import { TargetTabs, targetPage } from "../timeline/tabs";
import { listVersions, nameOf, type Thing, type Version, type Versions } from "./api";
import { Compare } from "./compare";
import { RestoreDialog } from "./restore";
import { StateDialog } from "./state";
import { t } from "./texts";

export default function VersionsPage() {
	const { org = "", type = "", id = "" } = useRoute().params;
	const of: Thing = { org, type, id };
	const url = useUrl();
	const [a, b] = [url.get("a"), url.get("b")];
	const zone = zoneOf(url.get("tz"));
	const list = useLoad((signal) => listVersions(of, {}, signal), [of]);
	const name = useLoad((signal) => nameOf(of, `target:${writeTarget(type, id)}`, signal), [of]).data || id;
	useEffect(() => {
		document.title = `${t("versions.of", { name })} · Daybook`;
	}, [name]);
	const all = list.data?.versions ?? [];
	// Nothing chosen: the newest change.
	const newest = all[0]?.version ?? 0;
	const pair = a && b ? { a, b } : { a: String(newest - 1), b: String(newest) };
	return (
		<div class="page">
			<div class="page-head">
				<h1>
					<bdi>{visible(name)}</bdi> <span class="mono muted">{visible(`${type}:${id}`)}</span>
				</h1>
				<TargetTabs {...of} at="versions" />
				<span class="spacer" />
				<ZoneMenu tz={url.get("tz")} onZone={(z) => url.set({ tz: z })} />
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			<div class="page-body stack wide">
				{!list.data && !list.problem ? <Skeleton width="16rem" /> : null}
				{list.data && all.length === 0 ? <None of={of} /> : null}
				{list.data && all.length > 0 ? (
					<>
						<Whole of={list.data} />
						{all.length > 1 ? <Compare of={of} all={all} pair={pair} zone={zone} onPair={(to) => url.set(to, true)} /> : null}
						<List
							all={all}
							pair={pair}
							zone={zone}
							event={(v) => `/o/${encodeURIComponent(org)}/events/${v.id}`}
							change={(v) => url.with({ a: String(v.version - 1), b: String(v.version) })}
							onState={(v) => url.set({ v: String(v.version) }, true)}
							onRestore={(v) => url.set({ restore: String(v.version) }, true)}
						/>
					</>
				) : null}
			</div>
			{url.get("v") ? <StateDialog key={url.get("v")} of={of} version={url.get("v")} zone={zone} onClose={() => url.set({ v: null })} /> : null}
			{url.get("restore") && list.data ? (
				<RestoreDialog
					key={url.get("restore")}
					of={of}
					version={url.get("restore")}
					deleted={all[0]?.deleted ?? false}
					onClose={() => url.set({ restore: null })}
					onDone={() => {
						url.set({ restore: null, a: null, b: null });
						list.again();
					}}
				/>
			) : null}
		</div>
	);
}

/** Says whether the history is whole, and if not why. */
function Whole(props: { of: Versions }) {
	const { exact, reason = "no_creation" } = props.of;
	return (
		<p class="measure">
			<Icon name={exact ? "info" : "triangle-alert"} class={exact ? "muted" : "warn"} /> {t(exact ? "versions.exact" : `versions.reason.${reason}`)}
		</p>
	);
}

/** Versions shown at once; the rest comes on demand. */
const step = 100;

type ListProps = {
	all: Version[];
	pair: { a: string; b: string };
	zone: string;
	event: (v: Version) => string;
	change: (v: Version) => string;
	onState: (v: Version) => void;
	onRestore: (v: Version) => void;
};

function List(props: ListProps) {
	const { all } = props;
	const [shown, setShown] = useState(step);
	return (
		<section>
			<h2>{t("versions.all", { n: all.length })}</h2>
			<div class="scroll-x">
				<table class="table versions-table" aria-label={t("versions.all", { n: all.length })}>
					<thead>
						<tr>
							<th scope="col">{t("versions.number")}</th>
							<th scope="col">{t("versions.when", { zone: zoneName(props.zone) })}</th>
							<th scope="col">{t("versions.who")}</th>
							<th scope="col">{t("versions.action")}</th>
							<th scope="col">{t("versions.changes")}</th>
							<th scope="col">
								<span class="hidden-text">{t("actions")}</span>
							</th>
						</tr>
					</thead>
					<tbody>
						{all.slice(0, shown).map((v, i) => (
							<VersionRow key={v.version} {...props} of={v} newest={i === 0} />
						))}
					</tbody>
				</table>
			</div>
			{all.length > shown ? <Button onClick={() => setShown(shown + step)}>{t("versions.more", { n: all.length - shown })}</Button> : null}
		</section>
	);
}

function VersionRow(props: ListProps & { of: Version; newest: boolean }) {
	const { of: v, pair } = props;
	const side = pair.a === String(v.version) ? "a" : pair.b === String(v.version) ? "b" : "";
	return (
		<tr class={side ? "chosen" : ""}>
			<td>
				<span class="line nowrap">
					<strong class="tabular">v{v.version}</strong>
					{props.newest ? <span class="badge">{t("versions.current")}</span> : null}
				</span>
			</td>
			<td class="tabular nowrap">{shortTime(v.occurred_at, props.zone)}</td>
			<td>
				<bdi title={visible(`${v.actor.type}:${v.actor.id}`)}>{nameOfActor(v.actor)}</bdi>
			</td>
			<td>
				<a class="mono" href={props.event(v)}>
					{visible(v.action)}
				</a>
			</td>
			<td>
				<Marks of={v} href={v.version > 1 && props.all.length > 1 ? props.change(v) : ""} />
			</td>
			<td>
				<div class="line end nowrap">
					<Button small icon="braces" label={t("versions.state.of", { v: v.version })} onClick={() => props.onState(v)}>
						{t("versions.state")}
					</Button>
					{props.newest && !v.deleted ? null : (
						<Button small icon="history" label={t("versions.restore.of", { v: v.version })} onClick={() => props.onRestore(v)}>
							{t("versions.restore")}
						</Button>
					)}
				</div>
			</td>
		</tr>
	);
}

/** How much an event changed, and what is special about the version after it. */
function Marks(props: { of: Version; href: string }) {
	const v = props.of;
	const changed = v.changes > 0 ? t("versions.changed", { n: v.changes }) : "";
	return (
		<span class="line">
			{changed && props.href ? <a href={props.href}>{changed}</a> : changed}
			{v.snapshot ? <span class="muted">{t("versions.snapshot")}</span> : null}
			{v.deleted ? <span class="muted">{t("versions.deleted")}</span> : null}
			{v.exact ? null : (
				<span class="warn" title={t("versions.inexact.about")}>
					<Icon name="triangle-alert" /> {t("versions.inexact")}
				</span>
			)}
		</span>
	);
}

/** No event says what the thing was. */
function None(props: { of: Thing }) {
	const { type, id } = props.of;
	const sample = `{
  "action": ${JSON.stringify(`${type}.updated`)},
  "actor": {"type": "user", "id": "usr_7"},
  "targets": [{"type": ${JSON.stringify(type)}, "id": ${JSON.stringify(id)}}],
  "before": {"amount": "1200.00"},
  "after": {"amount": "1450.00"}
}`;
	return (
		<Empty title={t("versions.none")}>
			<p class="measure">{t("versions.none.about")}</p>
			<pre class="command versions-sample" tabIndex={0}>
				{visibleLines(sample)}
			</pre>
			<div class="line">
				<Button icon="copy" onClick={() => void copy(sample)}>
					{t("copy")}
				</Button>
				<a href={targetPage(props.of.org, type, id, "all")}>{t("versions.none.all")}</a>
			</div>
		</Empty>
	);
}
