// What was recorded just before and after: in the log, and by the same actor.
import { ask } from "../../api/client";
import type { Entry, Page } from "../../api/types";
import { useLoad } from "../../state/load";
import type { UrlState } from "../../state/url";
import { ProblemBanner, Skeleton } from "../../ui/notice";
import { shortTime, zoneName } from "../../ui/time";
import { effective } from "../events/hidden";
import { read, when } from "../events/reading";
import { t } from "./texts";

type Props = { org: string; zone: string; entry: Entry; url: UrlState };

/** Entries on each side. */
const near = 10;

export function Around(props: Props) {
	const { entry } = props;
	const actor = `/v1/actors/${encodeURIComponent(entry.actor?.type ?? "")}/${encodeURIComponent(entry.actor?.id ?? "")}/events`;
	return (
		<div class="stack around">
			<h3>{t("around.log", { zone: zoneName(props.zone) })}</h3>
			<Near {...props} path="/v1/events" />
			{entry.actor ? (
				<>
					<h3>{t("around.actor")}</h3>
					<Near {...props} path={actor} />
				</>
			) : null}
		</div>
	);
}

/** The entries of one list around the one that is shown. */
function Near(p: Props & { path: string }) {
	const around = useLoad(
		async (signal) => {
			const page = (q: string, asc: boolean) =>
				ask<Page>(p.path, { org: p.org, params: { q: effective(q, p.entry.action?.startsWith("daybook.") ? "1" : ""), asc, limit: near }, signal });
			const [before, after] = await Promise.all([page(`seq:<${p.entry.seq}`, false), page(`seq:>${p.entry.seq}`, true)]);
			return [...after.entries.reverse(), p.entry, ...before.entries];
		},
		[p.path, p.entry.seq],
	);
	if (around.problem) return <ProblemBanner problem={t("around.failed")} />;
	if (!around.data) return <Skeleton width="18rem" />;
	return (
		<ul class="near">
			{around.data.map((e) => (
				<li key={e.id} class={e.id === p.entry.id ? "near-this" : ""}>
					<a
						href={p.url.path.endsWith("/events") ? p.url.with({ sel: e.id }) : `/o/${encodeURIComponent(p.org)}/events/${e.id}`}
						aria-current={e.id === p.entry.id ? "true" : undefined}
					>
						<time class="mono" dateTime={when(e)}>
							{shortTime(when(e), p.zone)}
						</time>{" "}
						<bdi>{read(e).whole}</bdi>
					</a>
				</li>
			))}
		</ul>
	);
}
