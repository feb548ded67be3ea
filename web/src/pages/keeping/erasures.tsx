// Erasures: values that are gone for good, by request. A preview comes first, and what was typed is asked for again.
import { useState } from "preact/hooks";
import { Problem, send } from "../../api/client";
import { number } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { against, useChange, useLoad } from "../../state/load";
import { useUrl } from "../../state/url";
import { ActDialog } from "../../ui/act";
import { Button, LinkButton } from "../../ui/button";
import { Check, Field } from "../../ui/field";
import { Empty, ProblemBanner, Skeleton, toast } from "../../ui/notice";
import { dayOf } from "../../ui/time";
import { approveErasure, createErasure, type Erasing, type Erasure, type ErasurePreview, listErasures, previewErasure, withdrawErasure } from "./api";
import { Reason } from "./reason";
import { t } from "./texts";

export function Erasures(props: { org: string; zone: string }) {
	const url = useUrl();
	const list = useLoad((signal) => listErasures(props.org, signal), [props.org], { every: (data) => (data?.some((e) => e.state === "pending") ? 1500 : 0) });
	const change = useChange();
	const act = (work: () => Promise<unknown>) =>
		change.run(async () => {
			await work();
			list.again();
		});
	return (
		<div class="stack wide">
			<div class="line">
				<p class="muted measure">{t("erasures.about")}</p>
				<span class="spacer" />
				<Button kind="danger" onClick={() => url.set({ new: "1" }, true)}>
					{t("erasures.new")}
				</Button>
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			{change.problem ? <ProblemBanner problem={change.problem} /> : null}
			{!list.data && !list.problem ? <Skeleton width="16rem" /> : null}
			{list.data?.length === 0 ? (
				<Empty title={t("erasures.none")}>
					<p class="measure">{t("erasures.none.about")}</p>
				</Empty>
			) : null}
			{list.data && list.data.length > 0 ? (
				<div class="scroll-x">
					<table class="table cards" aria-label={t("keeping.erasures")}>
						<thead>
							<tr>
								{(["reason", "entries", "asked", "state"] as const).map((name) => (
									<th scope="col" key={name} class={name === "entries" ? "number" : ""}>
										{t(`erasures.${name}`)}
									</th>
								))}
								<th scope="col">
									<span class="hidden-text">{t("actions")}</span>
								</th>
							</tr>
						</thead>
						<tbody>
							{list.data.map((e) => (
								<ErasureRow
									key={e.id}
									of={e}
									zone={props.zone}
									busy={change.busy}
									onApprove={() => act(() => approveErasure(props.org, e.id))}
									onWithdraw={() => act(() => withdrawErasure(props.org, e.id))}
									onCertificate={() => act(() => certificate(props.org, e.id))}
								/>
							))}
						</tbody>
					</table>
				</div>
			) : null}
			{url.get("new") ? (
				<Erase
					org={props.org}
					query={url.get("q")}
					onClose={() => url.set({ new: null, q: null })}
					onDone={() => {
						url.set({ new: null, q: null });
						list.again();
					}}
				/>
			) : null}
		</div>
	);
}

/** Gives the certificate to the browser as a file. */
async function certificate(org: string, id: string): Promise<void> {
	const answer = await send(`/v1/erasures/${encodeURIComponent(id)}/certificate`, { org });
	const link = document.createElement("a");
	link.href = URL.createObjectURL(await answer.blob());
	link.download = `${id}.json`;
	link.click();
	URL.revokeObjectURL(link.href);
}

function ErasureRow(props: { of: Erasure; zone: string; busy: boolean; onApprove: () => void; onWithdraw: () => void; onCertificate: () => void }) {
	const e = props.of;
	return (
		<tr>
			<td>
				{visible(e.reason)}
				<div class="mono muted">{e.id}</div>
			</td>
			<td class="number" data-label={t("erasures.entries")}>
				{number(e.entries)}
			</td>
			<td data-label={t("erasures.asked")}>
				{dayOf(e.requested_at, props.zone)}
				<div class="small mono muted">{visible(e.by.id)}</div>
			</td>
			<td data-label={t("erasures.state")}>
				{e.state === "done" && e.completed_at ? t("erasures.done", { day: dayOf(e.completed_at, props.zone) }) : t(`erasures.state.${e.state}`)}
			</td>
			<td>
				<div class="line end nowrap">
					{e.state === "awaiting_approval" ? (
						<>
							<Button small disabled={props.busy} onClick={props.onWithdraw}>
								{t("erasures.withdraw")}
							</Button>
							<Button small kind="danger" disabled={props.busy} onClick={props.onApprove}>
								{t("erasures.approve")}
							</Button>
						</>
					) : null}
					{e.state === "done" ? (
						<Button small icon="download" disabled={props.busy} onClick={props.onCertificate}>
							{t("erasures.certificate")}
						</Button>
					) : null}
				</div>
			</td>
		</tr>
	);
}

/** Choose, look, confirm: three looks at the same thing, since it cannot be undone. */
function Erase(props: { org: string; query: string; onClose: () => void; onDone: () => void }) {
	const [query, setQuery] = useState(props.query);
	const [paths, setPaths] = useState("/actor/email, /actor/name");
	const [whole, setWhole] = useState(false);
	const [hide, setHide] = useState(false);
	const [reason, setReason] = useState("");
	const [typed, setTyped] = useState("");
	const [preview, setPreview] = useState<ErasurePreview | null>(null);
	const change = useChange();
	const at = (field: string) => against(change.problem, field);
	const erasing: Erasing = {
		query,
		...(whole
			? { whole: true }
			: {
					paths: paths
						.split(",")
						.map((path) => path.trim())
						.filter(Boolean),
				}),
		...(hide ? { hide_names: true } : {}),
	};
	const held = Object.entries(preview?.held ?? {});
	const ready = preview !== null && preview.entries > 0 && held.length === 0 && reason.trim() !== "" && typed === String(preview.entries);
	const look = () => change.run(async () => setPreview(await previewErasure(props.org, erasing)));
	const erase = () =>
		change.run(async () => {
			const made = await createErasure(props.org, { ...erasing, reason });
			toast(t(made.state === "awaiting_approval" ? "erasures.waits" : "erasures.begun"));
			props.onDone();
		});
	return (
		<ActDialog
			title={t("erasures.new")}
			act={preview ? t("erasures.erase", { n: preview.entries }) : t("erasures.look")}
			kind={preview ? "danger" : "primary"}
			ready={preview ? ready : query.trim() !== ""}
			change={change}
			fields={["query", "paths", "reason"]}
			onClose={props.onClose}
			onAct={preview ? erase : look}
		>
			{preview ? (
				<>
					<Preview of={preview} held={held} />
					<Reason value={reason} onInput={setReason} error={at("reason")} />
					{preview.entries > 0 && held.length === 0 ? <Field label={t("erasures.type", { n: preview.entries })} value={typed} onInput={setTyped} mono /> : null}
					<div>
						<button type="button" class="link-button" onClick={() => setPreview(null)}>
							{t("erasures.back")}
						</button>
					</div>
				</>
			) : (
				<>
					<Field
						label={t("query")}
						mono
						value={query}
						onInput={setQuery}
						error={at("query") || queryProblem(change.problem)}
						note={t("erasures.query.note")}
						attributes={{ spellcheck: false }}
					/>
					<Check checked={whole} onChange={setWhole}>
						{t("erasures.whole")}
					</Check>
					{whole ? null : (
						<Field
							label={t("erasures.paths")}
							mono
							value={paths}
							onInput={setPaths}
							error={at("paths")}
							note={t("erasures.paths.note")}
							attributes={{ spellcheck: false }}
						/>
					)}
					<Check checked={hide} onChange={setHide}>
						{t("erasures.hide")}
					</Check>
				</>
			)}
		</ActDialog>
	);
}

function queryProblem(problem: unknown): string {
	return problem instanceof Problem && problem.queryError ? problem.queryError.message : "";
}

function Preview(props: { of: ErasurePreview; held: [string, number][] }) {
	const { of } = props;
	if (of.entries === 0) return <p>{t("erasures.nothing")}</p>;
	return (
		<div class="stack">
			<p>
				{of.whole === of.entries
					? t("erasures.preview.whole", { n: of.entries, of: number(of.size) })
					: t("erasures.preview", { n: of.entries, of: number(of.size), fields: number(of.fields) })}
			</p>
			<ul class="bullets">
				{Object.entries(of.paths).map(([path, n]) => (
					<li key={path}>
						<span class="mono">{visible(path)}</span> <span class="muted">{number(n)}</span>
					</li>
				))}
			</ul>
			{props.held.length > 0 ? (
				<p class="danger">
					{t("erasures.held", { n: props.held.reduce((sum, [, n]) => sum + n, 0) })}{" "}
					{props.held.map(([id]) => (
						<LinkButton key={id} small kind="plain" href="?tab=holds">
							{id}
						</LinkButton>
					))}
				</p>
			) : (
				<p class="muted">{t("erasures.stays")}</p>
			)}
		</div>
	);
}
