import { useEffect } from "preact/hooks";
import { useLocation, useRoute } from "preact-iso/router";
import { t } from "../../messages/messages";
import { orgs, session } from "../../state/session";
import { Empty } from "../../ui/notice";
import { beginning, eventsOf, listViews } from "../views/api";

/** Leads to the events of the organization, or of the first one, as its default view has them; to Get started while it has none. */
export default function Home() {
	const location = useLocation();
	const route = useRoute();
	const named = route.params["org"];
	const org = named ?? (orgs.value.find((o) => o.size > 0) ?? orgs.value[0])?.id;
	useEffect(() => {
		if (session.value !== "here" || !org) return;
		const go = (to: string) => location.route(to, true);
		if (orgs.value.find((o) => o.id === org)?.size === 0) {
			go(`/o/${encodeURIComponent(org)}/start`);
			return;
		}
		const stop = new AbortController();
		const events = () => !stop.signal.aborted && go(`/o/${encodeURIComponent(org)}/events`);
		listViews(org, stop.signal).then((views) => {
			const view = beginning(views);
			if (view && !stop.signal.aborted) go(eventsOf(org, view));
			else events();
		}, events);
		return () => stop.abort();
	}, [session.value, org]);
	if (session.value === "here" && !org) {
		return (
			<Empty page title={t("home.none")}>
				<p>{t("home.none.about")}</p>
			</Empty>
		);
	}
	return null;
}
