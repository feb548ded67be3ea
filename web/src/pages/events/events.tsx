// The list of events: home of the console.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { t } from "../../messages/messages";
import { useUrl } from "../../state/url";
import { Empty, ProblemBanner } from "../../ui/notice";
import { zoneOf } from "../../ui/time";
import type { ListHandle } from "../../ui/virtual";
import { EventList } from "./list";
import { Pages } from "./pages";

export default function Events() {
	const org = useRoute().params["org"] ?? "";
	const url = useUrl();
	const zone = zoneOf(url.get("tz"));
	const [round, setRound] = useState(0);
	const search = {
		org,
		q: url.get("q"),
		from: url.get("from"),
		to: url.get("to"),
		tz: zone === "UTC" ? "" : zone,
		order: url.get("order"),
		asc: url.get("asc") === "1",
	};
	const pages = useMemo(() => new Pages(search, true), [JSON.stringify(search), round]);
	const list = useRef<ListHandle>(null);
	useEffect(() => {
		void pages.more();
		return () => pages.close();
	}, [pages]);
	useEffect(() => {
		document.title = `${t("events")} · Daybook`;
	}, []);
	pages.version.value;
	return (
		<div class="events">
			<div class="page-head">
				<h1>{t("events")}</h1>
			</div>
			<form
				class="events-query"
				role="search"
				onSubmit={(event) => {
					event.preventDefault();
					url.set({ q: String(new FormData(event.currentTarget).get("q") ?? "") }, true);
				}}
			>
				<input
					class="input mono"
					type="search"
					name="q"
					aria-label={t("query")}
					placeholder={t("query.placeholder")}
					defaultValue={url.get("q")}
					spellcheck={false}
				/>
			</form>
			{pages.problem ? <ProblemBanner problem={pages.problem} onRetry={() => setRound(round + 1)} /> : null}
			{pages.done && pages.count === 0 ? (
				<Empty title={t("events.none")} />
			) : (
				<EventList pages={pages} zone={zone} selected={url.get("sel")} onOpen={(id) => url.set({ sel: id }, true)} handle={list} />
			)}
		</div>
	);
}
