// An event: its sentence, when it happened, and its tabs. The drawer and the page show the same.
import { useEffect, useState } from "preact/hooks";
import { api, Problem } from "../../api/client";
import { type Json, parseJSON } from "../../api/json";
import type { Entry } from "../../api/types";
import { number } from "../../messages/messages";
import type { UrlState } from "../../state/url";
import { copy } from "../../ui/copy";
import { Empty, ProblemBanner, Skeleton } from "../../ui/notice";
import { ProofMark, ProofTab } from "../../ui/proof";
import { Tabs } from "../../ui/tabs";
import { ago, fullTime, span } from "../../ui/time";
import { read, skew, when } from "../events/reading";
import { Around } from "./around";
import { Changes } from "./changes";
import { Details } from "./details";
import { Fate } from "./fate";
import { Raw } from "./raw";
import { t } from "./texts";
import type { ValueActions } from "./value";

type Props = ValueActions & { org: string; id: string; zone: string; url: UrlState; page?: boolean };

const names = ["changes", "details", "raw", "proof", "around"] as const;
type Tab = (typeof names)[number];

/** An event with the text that it is stored as. */
export type Stored = { entry: Entry; text: string };

export function EventDetail(props: Props) {
	const { org, id } = props;
	const [stored, setStored] = useState<Stored | null>(null);
	const [problem, setProblem] = useState<unknown>(null);
	const [round, setRound] = useState(0);
	useEffect(() => {
		const abort = new AbortController();
		setProblem(null);
		api
			.eventText(org, id, abort.signal)
			.then((text) => setStored({ entry: parseJSON(text) as unknown as Entry, text }))
			.catch((error: unknown) => {
				if (!abort.signal.aborted) setProblem(error);
			});
		return () => abort.abort();
	}, [org, id, round]);
	if (problem instanceof Problem && problem.status === 404) {
		return (
			<Empty page={props.page === true} title={t("event.none")}>
				<p>{t("notfound.about")}</p>
			</Empty>
		);
	}
	if (problem) return <ProblemBanner problem={problem} onRetry={() => setRound(round + 1)} />;
	if (!stored) {
		return (
			<div class="event-detail stack" aria-busy="true">
				<Skeleton width="16rem" />
				<Skeleton width="12rem" />
				<Skeleton width="20rem" />
			</div>
		);
	}
	return <Shown {...props} stored={stored} />;
}

function Shown(props: Props & { stored: Stored }) {
	const { url, zone } = props;
	const Title = props.page ? "h1" : "h2";
	const { entry } = props.stored;
	const changes = Array.isArray(entry.changes) ? entry.changes.length : 0;
	const asked = url.get("tab") as Tab;
	const tab: Tab = names.includes(asked) ? asked : changes > 0 ? "changes" : "details";
	const shown = tab === "changes" && changes === 0 ? "details" : tab;
	const tabs = names
		.filter((n) => n !== "changes" || changes > 0)
		.map((n): [Tab, string] => [n, n === "changes" ? t("tab.changes", { count: number(changes) }) : t(`tab.${n}`)]);
	const late = Date.parse(entry.received_at) - Date.parse(when(entry));
	return (
		<article class="event-detail">
			<Title class="event-title">
				<bdi>{read(entry).whole}</bdi>
			</Title>
			<p class="small muted mono event-ids">
				<bdi>{entry.action ?? entry["op"] ?? ""}</bdi>
				{entry.version ? ` v${entry.version}` : ""} ·{" "}
				<button type="button" class="plain-copy mono" title={t("copy")} onClick={() => void copy(entry.id)}>
					{entry.id}
				</button>{" "}
				· seq {number(entry.seq)}
			</p>
			<p class="small">
				{t("event.occurred")}{" "}
				<time class="tabular" dateTime={when(entry)}>
					{fullTime(when(entry), zone)}
				</time>
				<span class="muted">
					{" "}
					{entry.occurred_at && late !== 0 ? (
						<span class={skew(entry) ? "warn" : ""}>
							· {skew(entry) ? "⏱ " : ""}
							{late < 0 ? t("event.received-before", { span: span(late) }) : t("event.received", { span: span(late) })}
						</span>
					) : null}{" "}
					· {ago(when(entry))}
				</span>
			</p>
			<p class="small">
				<ProofMark words entry={entry} />
			</p>
			<Fate org={props.org} entry={entry} zone={zone} />
			<Tabs label={t("event")} value={shown} tabs={tabs} onChange={(to) => url.set({ tab: to })}>
				{shown === "changes" ? <Changes changes={entry.changes} /> : null}
				{shown === "details" ? <Details {...props} entry={entry} /> : null}
				{shown === "raw" ? <Raw org={props.org} id={props.id} text={props.stored.text} /> : null}
				{shown === "proof" ? <ProofTab org={props.org} entry={entry} zone={zone} /> : null}
				{shown === "around" ? <Around {...props} entry={entry} /> : null}
			</Tabs>
		</article>
	);
}

export type { Json };
