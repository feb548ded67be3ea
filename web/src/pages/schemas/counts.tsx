// How many events an action had lately, and how many of them are not as its schema says.
import { api } from "../../api/client";
import type { Facets } from "../../api/types";
import { number } from "../../messages/messages";
import { writeValue } from "../../query/terms";
import { type Loaded, useLoad } from "../../state/load";
import { t } from "./texts";

const FROM = "now-30d";
const FLAGGED = "flagged:schema_violation,schema_missing";

/** Of so many actions the server counts the events one by one: those that have the most. */
const MOST = 64;

/** Events and flagged events by action. */
export type Counts = { all: Facets; flagged: Facets };

/** Counts the events of an organization's actions, within the time that a count may take. */
export function useCounts(org: string): Loaded<Counts> {
	return useLoad(
		async (signal) => {
			const count = (q: string) => api.facets(org, { q, from: FROM, fields: "action", top: MOST }, signal);
			const [all, flagged] = await Promise.all([count(""), count(FLAGGED)]);
			return { all, flagged };
		},
		[org],
	);
}

/** How often an action was found; undefined: there are more actions than were counted one by one. */
function found(f: Facets, action: string): number | undefined {
	const facet = f.facets["action"];
	return facet?.values.find((v) => v.value === action)?.count ?? (facet && facet.other > 0 ? undefined : 0);
}

/** The counts of one action, each with a way to its events. */
export function Count(props: { org: string; action: string; of: Counts | undefined }) {
	if (!props.of) return null;
	const all = found(props.of.all, props.action);
	const flagged = found(props.of.flagged, props.action) ?? 0;
	if (all === undefined) return <span class="muted">–</span>;
	if (all === 0) return <span class="muted">{t("schemas.recent.none")}</span>;
	const name = `action:${writeValue(props.action)}`;
	const href = (q: string) => `/o/${encodeURIComponent(props.org)}/events?q=${encodeURIComponent(q)}&from=${FROM}`;
	return (
		<div class="schema-counts">
			<a href={href(name)}>{t("schemas.recent.n", { n: all })}</a>
			{flagged > 0 ? (
				<a class="warn small" href={href(`${name} ${FLAGGED}`)}>
					{t("schemas.flagged", { n: flagged })}
				</a>
			) : null}
		</div>
	);
}

/** Says when not all days were counted, or none. */
export function CountNote(props: { of: Loaded<Counts> }) {
	if (props.of.problem) return <p class="muted small">{t("schemas.recent.failed")}</p>;
	const cut = [props.of.data?.all, props.of.data?.flagged].find((f) => f && !f.searched.complete);
	return cut ? <p class="muted small">{t("schemas.recent.partial", { days: number(cut.searched.days), of: number(cut.searched.of_days) })}</p> : null;
}
