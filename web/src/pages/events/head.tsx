// The head of the list: what of the log is checkpointed, live, columns, order, export.
import type { Summary } from "../../api/logs";
import { number, t } from "../../messages/messages";
import { can, offline } from "../../state/session";
import type { UrlState } from "../../state/url";
import { Button } from "../../ui/button";
import type { IconName } from "../../ui/icon";
import { Menu, MenuRow } from "../../ui/menu";
import { shortTime, zoneName } from "../../ui/time";
import { columnName, columnsOf, columnsText, offered } from "./columns";
import type { LiveState } from "./live";

type Props = { url: UrlState; summary: Summary | undefined; zone: string; live: LiveState; liveAllowed: boolean; onSave: () => void; onExport: () => void };

export function Head(props: Props) {
	const { url } = props;
	const on = url.get("live") === "1";
	const file = offline.value;
	const toggleLive = () => url.set({ live: on ? null : "1" }, true);
	return (
		<div class="page-head">
			<h1>{t("events")}</h1>
			<Checkpoint summary={props.summary} zone={props.zone} />
			<span class="spacer" />
			{file ? null : (
				<Button
					icon={on ? "pause" : "radio"}
					pressed={on}
					disabled={!props.liveAllowed && !on}
					title={props.liveAllowed ? "" : t("live.not")}
					class={props.live === "paused" ? "live-paused" : ""}
					onClick={toggleLive}
				>
					{props.live === "paused" ? t("live.paused") : t("live")}
				</Button>
			)}
			<ViewMenu url={url} zone={props.zone} />
			{file ? null : (
				<Button class="page-act" icon="save" onClick={props.onSave}>
					{t("save")}
				</Button>
			)}
			{can("export") && !file ? (
				<Button class="page-act" icon="download" onClick={props.onExport}>
					{t("export")}
				</Button>
			) : null}
			<More onSave={props.onSave} onExport={props.onExport} />
		</div>
	);
}

/** What the head has no room for on a phone. */
function More(props: { onSave: () => void; onExport: () => void }) {
	const rows = (close: () => void) => {
		const row = (icon: IconName, text: string, act: () => void) => (
			<MenuRow
				icon={icon}
				onClick={() => {
					close();
					act();
				}}
			>
				{text}
			</MenuRow>
		);
		return (
			<>
				{row("save", t("save"), props.onSave)}
				{can("export") ? row("download", t("export"), props.onExport) : null}
			</>
		);
	};
	return (
		<Menu end label={t("actions")} button={{ class: "page-more", icon: "ellipsis-vertical", label: t("actions") }}>
			{rows}
		</Menu>
	);
}

function Checkpoint(props: { summary: Summary | undefined; zone: string }) {
	const s = props.summary;
	if (!s) return null;
	if (!s.signing) return <span class="badge">{t("checkpoint.unsigned")}</span>;
	if (!s.checkpoint)
		return (
			<span class="badge">
				<span aria-hidden="true">○</span> {t("checkpoint.none")}
			</span>
		);
	return (
		<span class="badge tabular" title={t("checkpoint.title")}>
			<span aria-hidden="true">●</span>{" "}
			{t("checkpoint", { size: number(s.checkpoint.size), at: `${shortTime(s.checkpoint.at, props.zone)} ${zoneName(props.zone)}` })}
		</span>
	);
}

/** Columns and order. */
function ViewMenu(props: { url: UrlState; zone: string }) {
	const { url } = props;
	const columns = columnsOf(url.get("cols"));
	const all = [...offered, ...columns.filter((c) => !offered.includes(c))];
	const order = url.get("order");
	return (
		<Menu end label={t("columns")} button={{ icon: "columns-3", label: t("columns") }}>
			{(close) => (
				<>
					<div class="menu-head">{t("columns")}</div>
					{all.map((c) => (
						<MenuRow
							key={c}
							checked={columns.includes(c)}
							many
							onClick={() => {
								const next = columns.includes(c) ? columns.filter((one) => one !== c) : all.filter((one) => one === c || columns.includes(one));
								url.set({ cols: columnsText(next.length > 0 ? next : columns) });
							}}
						>
							{columnName(c, zoneName(props.zone))}
						</MenuRow>
					))}
					<hr class="menu-rule" />
					<div class="menu-head">{t("order")}</div>
					{(["", "occurred"] as const).map((o) => (
						<MenuRow
							key={o}
							checked={order === o}
							onClick={() => {
								close();
								url.set({ order: o }, true);
							}}
						>
							{t(o ? "order.occurred" : "order.log")}
						</MenuRow>
					))}
					<MenuRow
						checked={url.get("asc") === "1"}
						many
						onClick={() => {
							close();
							url.set({ asc: url.get("asc") === "1" ? null : "1" }, true);
						}}
					>
						{t("order.asc")}
					</MenuRow>
				</>
			)}
		</Menu>
	);
}
