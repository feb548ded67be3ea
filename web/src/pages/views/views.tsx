// The saved views of an organization: everybody's and one's own.
import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { visible } from "../../sentence/visible";
import { useChange, useLoad } from "../../state/load";
import { can } from "../../state/session";
import { LinkButton } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Icon } from "../../ui/icon";
import { Menu, MenuRow } from "../../ui/menu";
import { Empty, ProblemBanner, Skeleton, toast } from "../../ui/notice";
import { zoneOf } from "../../ui/time";
import { rangeName } from "../events/range";
import { createView, deleteView, eventsOf, listViews, type NewView, putView, type View } from "./api";
import ViewForm from "./form";
import { t } from "./texts";

export default function Views() {
	const { org = "" } = useRoute().params;
	const list = useLoad((signal) => listViews(org, signal), [org]);
	const change = useChange();
	const [edited, setEdited] = useState<View | null>(null);
	useEffect(() => {
		document.title = `${t("views")} · Daybook`;
	}, []);
	const put = (v: View, patch: Partial<NewView>) =>
		change.run(async () => {
			await putView(org, v.id, { ...v, ...patch });
			list.again();
		});
	const remove = (v: View) =>
		change.run(async () => {
			await deleteView(org, v.id);
			list.again();
			toast(t("views.deleted", { name: visible(v.name) }), {
				text: t("views.undo"),
				run: () =>
					change.run(async () => {
						await createView(org, { name: v.name, search: v.search, shared: v.shared, default: v.default });
						list.again();
					}),
			});
		});
	const events = `/o/${encodeURIComponent(org)}/events`;
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("views")}</h1>
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			{change.problem ? <ProblemBanner problem={change.problem} /> : null}
			<div class="page-body stack wide">
				<p class="muted measure">{t("views.about")}</p>
				{!list.data && !list.problem ? <Skeleton width="16rem" /> : null}
				{list.data?.length === 0 ? (
					<Empty title={t("views.none")}>
						<p class="measure">{t("views.none.about")}</p>
						<LinkButton href={events} icon="list">
							{t("events")}
						</LinkButton>
					</Empty>
				) : null}
				{([true, false] as const).map((shared) => {
					const some = list.data?.filter((v) => v.shared === shared) ?? [];
					return some.length > 0 ? (
						<section key={String(shared)}>
							<h2>{t(shared ? "views.shared" : "views.mine")}</h2>
							<ul class="views">
								{some.map((v) => (
									<Row key={v.id} org={org} of={v} onPut={(patch) => put(v, patch)} onEdit={() => setEdited(v)} onDelete={() => remove(v)} />
								))}
							</ul>
						</section>
					) : null;
				})}
			</div>
			{edited ? <ViewForm org={org} of={edited} onClose={() => setEdited(null)} onDone={list.again} /> : null}
		</div>
	);
}

function Row(props: { org: string; of: View; onPut: (patch: Partial<NewView>) => void; onEdit: () => void; onDelete: () => void }) {
	const { org, of: v } = props;
	const mine = !v.shared || can("manage");
	return (
		<li class="view">
			<div class="view-told">
				<a class="view-name" href={eventsOf(org, v)}>
					<bdi>{visible(v.name)}</bdi>
				</a>
				{v.default ? (
					<span class="badge">
						<Icon name="star" /> {t(v.shared ? "views.default.all" : "views.default.mine")}
					</span>
				) : null}
				<Kept of={v} />
			</div>
			<Menu
				end
				label={t("views.menu", { name: visible(v.name) })}
				button={{ kind: "plain", icon: "ellipsis-vertical", label: t("views.menu", { name: visible(v.name) }) }}
			>
				{(close) => {
					const then = (run: () => void) => () => {
						close();
						run();
					};
					return (
						<>
							<MenuRow icon="link" onClick={then(() => void copy(`${location.origin}/o/${encodeURIComponent(org)}/views/${encodeURIComponent(v.slug)}`))}>
								{t("views.copy")}
							</MenuRow>
							{mine ? (
								<>
									<MenuRow icon="settings" onClick={then(props.onEdit)}>
										{t("views.edit")}
									</MenuRow>
									<MenuRow icon="star" onClick={then(() => props.onPut({ default: !v.default }))}>
										{t(v.default ? "views.default.end" : v.shared ? "view.default.all" : "view.default")}
									</MenuRow>
									{can("manage") ? (
										<MenuRow icon={v.shared ? "user" : "users"} onClick={then(() => props.onPut({ shared: !v.shared, default: false }))}>
											{t(v.shared ? "views.unshare" : "views.share")}
										</MenuRow>
									) : null}
									<MenuRow icon="trash-2" onClick={then(props.onDelete)}>
										{t("views.delete")}
									</MenuRow>
								</>
							) : null}
						</>
					);
				}}
			</Menu>
		</li>
	);
}

/** What a view keeps besides its columns and order: the query and the range. */
function Kept(props: { of: View }) {
	const kept = new URLSearchParams(props.of.search);
	const [from, to] = [kept.get("from") ?? "", kept.get("to") ?? ""];
	return (
		<span class="view-kept">
			<span class="mono">{visible(kept.get("q") ?? "") || t("exports.everything")}</span>
			{from || to ? <span class="muted">{visible(rangeName(from, to, zoneOf(kept.get("tz") ?? "")))}</span> : null}
		</span>
	);
}
