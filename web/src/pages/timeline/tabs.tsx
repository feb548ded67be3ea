// The two pages of a thing: all that happened to it, and what it was.
import { t } from "./texts";

/** The address of the page of a thing. */
export function targetPage(org: string, type: string, id: string, page: "all" | "versions"): string {
	const all = `/o/${encodeURIComponent(org)}/targets/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;
	return page === "all" ? all : `${all}/versions`;
}

export function TargetTabs(props: { org: string; type: string; id: string; at: "all" | "versions" }) {
	return (
		<nav class="page-tabs" aria-label={t("timeline.pages")}>
			{(["all", "versions"] as const).map((page) => (
				<a key={page} href={targetPage(props.org, props.type, props.id, page)} aria-current={page === props.at ? "page" : undefined}>
					{t(page === "all" ? "timeline.all" : "timeline.versions")}
				</a>
			))}
		</nav>
	);
}
