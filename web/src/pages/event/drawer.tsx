// One event beside the list: the same as its page, with a way to the next.
import { useEffect, useRef } from "preact/hooks";
import type { UrlState } from "../../state/url";
import { Button, LinkButton } from "../../ui/button";
import { copy } from "../../ui/copy";
import type { Pages } from "../events/pages";
import { EventDetail } from "./detail";
import { t } from "./texts";

type Props = { org: string; id: string; zone: string; pages: Pages; url: UrlState };

export default function EventDrawer(props: Props) {
	const { org, id, pages, url } = props;
	pages.version.value;
	const at = pages.find(id);
	const dialog = useRef<HTMLDialogElement>(null);
	useEffect(() => {
		dialog.current?.scrollTo(0, 0);
	}, [id]);
	const step = (by: number) => {
		const row = pages.row(at + by);
		if (row) url.set({ sel: row.entry.id });
	};
	const close = () => {
		url.set({ sel: null, tab: null }, true);
		if (at >= 0) requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-row="${at}"]`)?.focus());
	};
	const page = `/o/${encodeURIComponent(org)}/events/${encodeURIComponent(id)}`;
	return (
		<dialog class="drawer" open ref={dialog} aria-label={t("event")}>
			<div class="drawer-bar">
				<Button small kind="plain" icon="arrow-up" label={t("event.previous")} disabled={at <= 0} onClick={() => step(-1)} />
				<Button small kind="plain" icon="arrow-down" label={t("event.next")} disabled={at < 0 || at + 1 >= pages.count} onClick={() => step(1)} />
				{at < 0 && pages.searched && !pages.loading ? <span class="badge">{t("event.outside")}</span> : null}
				<span class="spacer" />
				<Button small kind="plain" icon="link" label={t("event.copy-link")} onClick={() => void copy(location.origin + page)} />
				<LinkButton small kind="plain" icon="expand" label={t("event.full")} href={page} />
				<Button small kind="plain" icon="x" label={t("close")} onClick={close} />
			</div>
			<EventDetail
				key={id}
				org={org}
				id={id}
				zone={props.zone}
				url={url}
				query={url.get("q")}
				onQuery={(q) => url.set({ q }, true)}
				onColumn={(c) => addColumn(url, c)}
			/>
		</dialog>
	);
}

/** Adds a column to the list. */
function addColumn(url: UrlState, column: string): void {
	const now = url.get("cols") || "time,who,what,proof";
	if (!now.split(",").includes(column)) url.set({ cols: `${now},${column}` });
}
