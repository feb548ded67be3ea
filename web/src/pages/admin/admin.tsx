// The instance: its organizations, and how it does. Each section also has an address of its own.
import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { Problem } from "../../api/client";
import { number } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { against, useChange, useLoad } from "../../state/load";
import { can, openSession } from "../../state/session";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Empty, ProblemBanner, Skeleton } from "../../ui/notice";
import { ago, dayOf, shortTime, zoneName, zoneOf } from "../../ui/time";
import NotFound from "../notfound/notfound";
import { createOrg, getInstance, listOrgs, type OrgRow } from "./api";
import { Figures } from "./figures";
import { Jobs } from "./jobs";
import { isSection, Sections } from "./sections";
import { t } from "./texts";

/** How often the figures are asked for again. */
const EVERY = 10_000;

export default function Admin() {
	const url = useUrl();
	const section = useRoute().params["section"] ?? "";
	const shows = (one: string) => section === "" || section === one;
	const now = useLoad(getInstance, [], { every: EVERY });
	useEffect(() => {
		document.title = `${t("admin")} · Daybook`;
	}, []);
	if (section !== "" && !isSection(section)) return <NotFound />;
	const refused = now.problem instanceof Problem && now.problem.status === 403;
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("admin")}</h1>
				<span class="spacer" />
				{can("operate") ? (
					<Button kind="primary" icon="plus" onClick={() => url.set({ new: "1" }, true)}>
						{t("admin.new")}
					</Button>
				) : null}
			</div>
			<Sections at={section} />
			{now.problem ? <ProblemBanner problem={now.problem} onRetry={now.again} /> : null}
			<div class="page-body admin">
				{now.data || now.problem ? null : <Skeleton width="20rem" />}
				{now.data && shows("storage") ? <Figures of={now.data} /> : null}
				{now.data && shows("jobs") ? <Jobs of={now.data.jobs} zone={zoneOf(url.get("tz"))} /> : null}
				{refused || !shows("orgs") ? null : <Orgs zone={zoneOf(url.get("tz"))} />}
			</div>
			{url.get("new") ? <NewOrg onClose={() => url.set({ new: null })} /> : null}
		</div>
	);
}

function Orgs(props: { zone: string }) {
	const url = useUrl();
	const name = url.get("name");
	const [typed, setTyped] = useState(name);
	const cursor = url.get("cursor");
	const list = useLoad((signal) => listOrgs(name, cursor, can("read"), signal), [name, cursor]);
	useEffect(() => {
		if (typed === name) return;
		const timer = setTimeout(() => url.set({ name: typed, cursor: null }), 250);
		return () => clearTimeout(timer);
	}, [typed]);
	return (
		<section class="stack wide" id="organizations">
			<h2>{t("admin.orgs")}</h2>
			<div class="admin-search">
				<Field label={t("admin.search")} value={typed} onInput={setTyped} attributes={{ type: "search", autocomplete: "off", spellcheck: false }} />
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			{!list.data && !list.problem ? <Skeleton width="16rem" /> : null}
			{list.data?.rows.length === 0 ? <Empty title={t(name ? "admin.nomatch" : "home.none")} /> : null}
			{list.data && list.data.rows.length > 0 ? (
				<div class="scroll-x">
					<table class="table cards" aria-label={t("admin.orgs")}>
						<thead>
							<tr>
								<th scope="col">{t("admin.org")}</th>
								<th scope="col" class="number">
									{t("admin.entries")}
								</th>
								<th scope="col">{t("admin.newest", { zone: zoneName(props.zone) })}</th>
								<th scope="col">{t("admin.created")}</th>
								<th scope="col">{t("admin.state")}</th>
							</tr>
						</thead>
						<tbody>
							{list.data.rows.map((row) => (
								<Row key={row.org.id} of={row} zone={props.zone} />
							))}
						</tbody>
					</table>
				</div>
			) : null}
			<div class="line">
				{cursor ? <Button onClick={() => url.set({ cursor: null }, true)}>{t("admin.first")}</Button> : null}
				{list.data?.next ? <Button onClick={() => url.set({ cursor: list.data?.next ?? null }, true)}>{t("admin.more")}</Button> : null}
			</div>
		</section>
	);
}

function Row(props: { of: OrgRow; zone: string }) {
	const { org, log } = props.of;
	const newest = log?.newest_at;
	return (
		<tr>
			<td>
				<a href={`/o/${encodeURIComponent(org.id)}/${org.size === 0 ? "start" : "events"}`}>{visible(org.name || org.id)}</a>
				<div class="mono muted">{org.id}</div>
			</td>
			<td class="number" data-label={t("admin.entries")}>
				{number(org.size)}
			</td>
			<td class="nowrap" data-label={t("admin.newest", { zone: zoneName(props.zone) })}>
				{newest ? (
					<>
						<time class="tabular" dateTime={newest}>
							{shortTime(newest, props.zone)}
						</time>{" "}
						<span class="muted">{ago(newest)}</span>
					</>
				) : (
					<span class="muted">{t(org.size === 0 ? "admin.empty" : "admin.unknown")}</span>
				)}
			</td>
			<td class="nowrap" data-label={t("admin.created")}>
				{dayOf(org.created_at, props.zone)}
			</td>
			<td data-label={t("admin.state")}>
				{org.state === "open" ? (
					t("admin.state.open")
				) : (
					<span class="badge warn">{org.state === "frozen" ? t("admin.state.frozen") : t("admin.state.closed")}</span>
				)}
			</td>
		</tr>
	);
}

/** Makes an organization and leads to its first event. */
function NewOrg(props: { onClose: () => void }) {
	const url = useUrl();
	const [name, setName] = useState("");
	const [id, setId] = useState("");
	const change = useChange();
	const at = (field: string) => against(change.problem, field);
	const make = () =>
		change.run(async () => {
			const made = await createOrg({ name: name.trim(), ...(id.trim() ? { id: id.trim() } : {}) });
			await openSession();
			url.go(`/o/${encodeURIComponent(made.id)}/start`);
		});
	return (
		<Dialog
			title={t("admin.new")}
			onClose={props.onClose}
			foot={
				<>
					<Button onClick={props.onClose}>{t("cancel")}</Button>
					<Button kind="primary" disabled={change.busy || name.trim() === ""} onClick={make}>
						{t("admin.make")}
					</Button>
				</>
			}
		>
			{change.problem && !at("name") && !at("id") ? <ProblemBanner problem={change.problem} /> : null}
			<Field label={t("admin.name")} value={name} onInput={setName} error={at("name")} attributes={{ maxLength: 512 }} />
			<Field
				label={t("admin.id")}
				mono
				value={id}
				onInput={setId}
				error={at("id")}
				note={t("admin.id.note")}
				attributes={{ maxLength: 128, spellcheck: false, autocomplete: "off" }}
			/>
		</Dialog>
	);
}
