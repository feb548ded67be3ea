import { useEffect } from "preact/hooks";
import { useLocation, useRoute } from "preact-iso/router";
import { t } from "../../messages/messages";
import { orgs, session } from "../../state/session";
import { Empty } from "../../ui/notice";

/** Leads to the events of the organization, or of the first one; to Get started while it has none. */
export default function Home() {
	const location = useLocation();
	const route = useRoute();
	const named = route.params["org"];
	const org = named ?? (orgs.value.find((o) => o.size > 0) ?? orgs.value[0])?.id;
	useEffect(() => {
		if (session.value === "here" && org) {
			const empty = orgs.value.find((o) => o.id === org)?.size === 0;
			location.route(`/o/${encodeURIComponent(org)}/${empty ? "start" : "events"}`, true);
		}
	}, [session.value, org]);
	if (session.value === "here" && !org) {
		return (
			<Empty title={t("home.none")}>
				<p>{t("home.none.about")}</p>
			</Empty>
		);
	}
	return null;
}
