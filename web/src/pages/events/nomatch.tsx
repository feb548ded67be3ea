// Nothing was found: which condition removed everything?
import { useEffect, useState } from "preact/hooks";
import { api } from "../../api/client";
import { number, t } from "../../messages/messages";
import { clauses, withoutClause } from "../../query/terms";
import { Button } from "../../ui/button";
import { Empty } from "../../ui/notice";
import { hides } from "./hidden";
import type { Search } from "./pages";

type Props = { search: Search; q: string; all: string; onQuery: (q: string) => void; onAll: () => void; onRange: (from: string, to: string) => void };

/** How many events one condition fewer would find. */
type Found = { clause: string; count: number; exact: boolean };

/** Conditions that are tried. */
const most = 6;

export function NoMatch(props: Props) {
	const [found, setFound] = useState<Found[] | null>(null);
	const hidden = props.all !== "1" && hides(props.q);
	useEffect(() => {
		const abort = new AbortController();
		const { org, from = "", to = "", tz = "" } = props.search;
		const count = async (clause: string, q: string, range = { from, to }): Promise<Found> => {
			const f = await api.facets(org, { q, ...range, tz, fields: "" }, abort.signal);
			return { clause, count: f.count.value, exact: f.count.exact };
		};
		const whole = props.search.q ?? "";
		const tries = clauses(props.q)
			.slice(0, most)
			.map((c) => count(c, withoutClause(whole, c)));
		if (hidden) tries.push(count("all", props.q));
		if (from || to) tries.push(count("range", whole, { from: "", to: "" }));
		Promise.all(tries)
			.then((all) => setFound(all.filter((f) => f.count > 0)))
			.catch(() => {
				if (!abort.signal.aborted) setFound([]);
			});
		return () => abort.abort();
	}, [JSON.stringify(props.search), props.q, hidden]);
	const amount = (f: Found) => (f.exact ? number(f.count) : `${number(f.count)}+`);
	return (
		<Empty title={t("events.none")}>
			{found === null ? <p>{t("events.none.looking")}</p> : null}
			{found?.map((f) => (
				<p key={f.clause} class="line">
					{f.clause === "range" ? t("events.none.range", { count: amount(f) }) : f.clause === "all" ? t("events.none.hidden", { count: amount(f) }) : null}
					{f.clause !== "range" && f.clause !== "all" ? (
						<span>
							{t("events.none.clause.before", { count: amount(f) })} <code>{f.clause}</code>
						</span>
					) : null}
					<Button
						small
						onClick={() => {
							if (f.clause === "range") props.onRange("", "");
							else if (f.clause === "all") props.onAll();
							else props.onQuery(withoutClause(props.q, f.clause));
						}}
					>
						{f.clause === "range" ? t("range.all") : f.clause === "all" ? t("events.show-all") : t("events.none.without")}
					</Button>
				</p>
			))}
			{found?.length === 0 ? <p>{t("events.none.nothing")}</p> : null}
		</Empty>
	);
}
