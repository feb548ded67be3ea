// One event on a page of its own: the permalink, which also prints.

import { useEffect } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { useLoad } from "../../state/load";
import { loadSentences } from "../../state/sentences";
import { useUrl } from "../../state/url";
import { useLog } from "../../ui/proof";
import { zoneOf } from "../../ui/time";
import { EventDetail } from "./detail";
import { t } from "./texts";

export default function EventPage() {
	const { org = "", id = "" } = useRoute().params;
	const url = useUrl();
	useLoad((signal) => loadSentences(org, signal), [org]);
	useLog(org);
	const events = `/o/${encodeURIComponent(org)}/events`;
	useEffect(() => {
		document.title = `${t("event")} ${id} · Daybook`;
	}, [id]);
	return (
		<div class="event-page">
			<a class="small" href={`${events}?sel=${encodeURIComponent(id)}`}>
				{t("event.in-list")}
			</a>
			<EventDetail
				key={id}
				page
				org={org}
				id={id}
				zone={zoneOf(url.get("tz"))}
				url={url}
				query=""
				onQuery={(q) => url.go(`${events}?range=all&q=${encodeURIComponent(q)}`)}
			/>
		</div>
	);
}
