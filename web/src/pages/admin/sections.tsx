// The ways to the sections of the instance's page, each of which has an address of its own.
import { t } from "./texts";

const names = ["orgs", "storage", "jobs"];

/** Whether /admin/NAME is a section. */
export const isSection = (name: string): boolean => names.includes(name);

/** at is the section that is shown; "" for the page that has them all. */
export function Sections(props: { at: string }) {
	const all: [at: string, text: string][] = [
		["", t("admin.all")],
		["orgs", t("admin.orgs")],
		["storage", t("admin.storage")],
		["jobs", t("admin.jobs")],
		["licences", t("licences")],
	];
	return (
		<nav class="tabs admin-sections" aria-label={t("admin.sections")}>
			{all.map(([at, text]) => (
				<a key={at} class="tab" href={at ? `/admin/${at}` : "/admin"} aria-current={props.at === at ? "page" : undefined}>
					{text}
				</a>
			))}
		</nav>
	);
}
