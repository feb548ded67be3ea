// Two versions side by side: what makes the one of the other.
import { compact, type Json, pretty } from "../../api/json";
import { useChange, useLoad } from "../../state/load";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Select } from "../../ui/field";
import { Menu, MenuRow } from "../../ui/menu";
import { ProblemBanner, Skeleton } from "../../ui/notice";
import { shortTime } from "../../ui/time";
import { Changes } from "../event/changes";
import { asRecorded, getState, listVersions, type Thing, type Version } from "./api";
import { t } from "./texts";

type Pair = { a: string; b: string };

export function Compare(props: { of: Thing; all: Version[]; pair: Pair; zone: string; onPair: (pair: Pair) => void }) {
	const { of, pair } = props;
	const { data, problem, again } = useLoad((signal) => listVersions(of, pair, signal), [of, pair, props.all[0]?.version]);
	const changes = data?.compared?.changes;
	const options = props.all.map((v): [string, string] => [String(v.version), `v${v.version} · ${shortTime(v.occurred_at, props.zone)}`]);
	const copying = useChange();
	const copyState = (version: string) => copying.run(async () => copy(pretty((await getState(of, version)).state)));
	return (
		<section class="compare" aria-label={t("versions.compare")}>
			<div class="compare-head">
				<Select label={t("versions.from")} value={pair.a} options={options} onChange={(a) => props.onPair({ ...pair, a })} />
				<Select label={t("versions.to")} value={pair.b} options={options} onChange={(b) => props.onPair({ ...pair, b })} />
				<Button icon="git-compare" label={t("versions.swap")} onClick={() => props.onPair({ a: pair.b, b: pair.a })} />
				<Menu label={t("versions.copy")} button={{ icon: "copy", children: t("versions.copy") }}>
					{(close) => {
						const then = (run: () => void) => () => {
							close();
							run();
						};
						return (
							<>
								{changes ? <MenuRow onClick={then(() => void copy(compact(changes as unknown as Json)))}>{t("versions.copy.changes")}</MenuRow> : null}
								<MenuRow onClick={then(() => copyState(pair.a))}>{t("versions.copy.state", { v: pair.a })}</MenuRow>
								<MenuRow onClick={then(() => copyState(pair.b))}>{t("versions.copy.state", { v: pair.b })}</MenuRow>
							</>
						);
					}}
				</Menu>
			</div>
			{problem || copying.problem ? <ProblemBanner problem={problem ?? copying.problem} onRetry={again} /> : null}
			{!changes && !problem ? <Skeleton width="20rem" /> : null}
			{changes?.length === 0 ? <p class="muted">{t("versions.same")}</p> : null}
			{changes && changes.length > 0 ? <Changes changes={asRecorded(changes)} /> : null}
		</section>
	);
}
