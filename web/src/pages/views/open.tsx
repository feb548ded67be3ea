// The address of a view: leads to Events as the view keeps it.
import { useEffect } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { Problem } from "../../api/client";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { useUrl } from "../../state/url";
import { LinkButton } from "../../ui/button";
import { Empty, ProblemBanner } from "../../ui/notice";
import { eventsOf, getView } from "./api";
import { t } from "./texts";

export default function OpenView() {
	const { org = "", slug = "" } = useRoute().params;
	const url = useUrl();
	const view = useLoad((signal) => getView(org, slug, signal), [org, slug]);
	useEffect(() => {
		if (view.data) url.go(eventsOf(org, view.data), true);
	}, [view.data]);
	if (!view.problem) return <p class="page-body muted">{t("loading")}</p>;
	if (!(view.problem instanceof Problem) || view.problem.status !== 404) return <ProblemBanner problem={view.problem} onRetry={view.again} />;
	return (
		<Empty page title={t("views.gone")}>
			<p class="measure">{t("views.gone.about", { slug: visible(slug) })}</p>
			<LinkButton href={`/o/${encodeURIComponent(org)}/views`}>{t("views")}</LinkButton>
		</Empty>
	);
}
