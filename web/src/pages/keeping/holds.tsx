// Holds: what no rule and no erasure may remove.
import { useState } from "preact/hooks";
import { visible } from "../../sentence/visible";
import { against, useChange, useLoad } from "../../state/load";
import { useUrl } from "../../state/url";
import { ActDialog } from "../../ui/act";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Empty, ProblemBanner, Skeleton, toast } from "../../ui/notice";
import { dayOf } from "../../ui/time";
import { type Hold, listHolds, placeHold, releaseHold } from "./api";
import { Reason } from "./reason";
import { t } from "./texts";

export function Holds(props: { org: string; zone: string }) {
	const url = useUrl();
	const list = useLoad((signal) => listHolds(props.org, signal), [props.org]);
	const [release, setRelease] = useState<Hold | null>(null);
	return (
		<div class="stack wide">
			<div class="line">
				<p class="muted measure">{t("holds.about")}</p>
				<span class="spacer" />
				<Button kind="primary" icon="lock" onClick={() => url.set({ new: "1" }, true)}>
					{t("holds.new")}
				</Button>
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			{!list.data && !list.problem ? <Skeleton width="16rem" /> : null}
			{list.data?.length === 0 ? (
				<Empty title={t("holds.none")}>
					<p class="measure">{t("holds.none.about")}</p>
				</Empty>
			) : null}
			{list.data && list.data.length > 0 ? (
				<div class="scroll-x">
					<table class="table cards" aria-label={t("keeping.holds")}>
						<thead>
							<tr>
								{(["reason", "query", "entries", "placed", "state"] as const).map((name) => (
									<th scope="col" key={name} class={name === "entries" ? "number" : ""}>
										{t(`holds.${name}`)}
									</th>
								))}
								<th scope="col">
									<span class="hidden-text">{t("actions")}</span>
								</th>
							</tr>
						</thead>
						<tbody>
							{list.data.map((h) => (
								<HoldRow key={h.id} of={h} zone={props.zone} onRelease={() => setRelease(h)} />
							))}
						</tbody>
					</table>
				</div>
			) : null}
			{url.get("new") ? (
				<Place
					org={props.org}
					query={url.get("q")}
					onClose={() => url.set({ new: null, q: null })}
					onDone={() => {
						url.set({ new: null, q: null });
						list.again();
					}}
				/>
			) : null}
			{release ? (
				<ReleaseDialog
					org={props.org}
					of={release}
					onClose={() => setRelease(null)}
					onDone={() => {
						setRelease(null);
						list.again();
					}}
				/>
			) : null}
		</div>
	);
}

function HoldRow(props: { of: Hold; zone: string; onRelease: () => void }) {
	const h = props.of;
	return (
		<tr class={h.released_at ? "muted" : ""}>
			<td>
				{visible(h.reason)}
				<div class="mono muted">{h.id}</div>
			</td>
			<td class="mono" data-label={t("holds.query")}>
				{visible(h.query) || t("holds.whole")}
			</td>
			<td class="number" data-label={t("holds.entries")}>
				{h.entries}
			</td>
			<td data-label={t("holds.placed")}>
				{dayOf(h.placed_at, props.zone)}
				<div class="small mono muted">{visible(h.by.id)}</div>
			</td>
			<td data-label={t("holds.state")}>
				{h.released_at ? t("holds.released", { day: dayOf(h.released_at, props.zone), reason: visible(h.released_reason ?? "") }) : t("holds.force")}
			</td>
			<td>
				<div class="line end">
					{h.released_at ? null : (
						<Button small onClick={props.onRelease}>
							{t("holds.release")}
						</Button>
					)}
				</div>
			</td>
		</tr>
	);
}

function Place(props: { org: string; query: string; onClose: () => void; onDone: () => void }) {
	const [query, setQuery] = useState(props.query);
	const [reason, setReason] = useState("");
	const change = useChange();
	const at = (field: string) => against(change.problem, field);
	return (
		<ActDialog
			title={t("holds.new")}
			act={t("holds.place")}
			ready={reason.trim() !== ""}
			change={change}
			fields={["query", "reason"]}
			onClose={props.onClose}
			onAct={() =>
				change.run(async () => {
					const hold = await placeHold(props.org, { query, reason });
					toast(t("holds.done", { n: hold.entries }));
					props.onDone();
				})
			}
		>
			<Field label={t("query")} mono value={query} onInput={setQuery} error={at("query")} note={t("holds.query.note")} attributes={{ spellcheck: false }} />
			<Reason value={reason} onInput={setReason} error={at("reason")} />
		</ActDialog>
	);
}

function ReleaseDialog(props: { org: string; of: Hold; onClose: () => void; onDone: () => void }) {
	const [reason, setReason] = useState("");
	const change = useChange();
	return (
		<ActDialog
			title={t("holds.release.title", { reason: visible(props.of.reason) })}
			act={t("holds.release")}
			kind="danger"
			ready={reason.trim() !== ""}
			change={change}
			fields={["reason"]}
			onClose={props.onClose}
			onAct={() =>
				change.run(async () => {
					await releaseHold(props.org, props.of.id, reason);
					props.onDone();
				})
			}
		>
			<p>{t("holds.release.about")}</p>
			<Reason value={reason} onInput={setReason} error={against(change.problem, "reason")} />
		</ActDialog>
	);
}
