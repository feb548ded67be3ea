// How customers see their log in another product: who may show it, what it looks like, and what to put into the page.
import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { ask, Problem } from "../../api/client";
import { visible } from "../../sentence/visible";
import { useChange, useLoad } from "../../state/load";
import { can } from "../../state/session";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { Area, Select } from "../../ui/field";
import { ProblemBanner, Skeleton, toast } from "../../ui/notice";
import { Time, zoneOf } from "../../ui/time";
import { Embed } from "./embed";
import { t } from "./texts";
import { Try } from "./try";

export type Settings = { origins: string[]; lifetime_s: number; updated_at: string | null; by?: { type: string; id: string } };

export default function ViewerSettings() {
	const { org = "" } = useRoute().params;
	const zone = zoneOf(useUrl().get("tz"));
	const now = useLoad((signal) => ask<Settings>("/v1/viewer-settings", { org, signal }), [org]);
	useEffect(() => {
		document.title = `${t("viewer")} · Daybook`;
	}, []);
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("viewer")}</h1>
			</div>
			{now.problem ? <ProblemBanner problem={now.problem} onRetry={now.again} /> : null}
			<div class="page-body viewer-settings">
				<p class="muted measure">{t("viewer.about")}</p>
				{!now.data && !now.problem ? <Skeleton width="16rem" /> : null}
				{now.data ? (
					<>
						<Allowed key={`${org} ${now.data.updated_at}`} org={org} now={now.data} zone={zone} onSaved={now.show} />
						{can("viewer") ? <Try key={org} org={org} origins={now.data.origins} /> : <p class="muted">{t("viewer.no-scope")}</p>}
						<Embed org={org} />
					</>
				) : null}
			</div>
		</div>
	);
}

const lives = [60, 300, 600, 900];

/** The pages that may show the viewer, and how long a token of theirs holds. */
function Allowed(props: { org: string; now: Settings; zone: string; onSaved: (s: Settings) => void }) {
	const { now } = props;
	const before = now.origins.join("\n");
	const [origins, setOrigins] = useState(before);
	const [life, setLife] = useState(now.lifetime_s);
	const change = useChange();
	const changed = origins.trim() !== before || life !== now.lifetime_s;
	const refused = change.problem instanceof Problem && change.problem.field.startsWith("/origins") ? change.problem : null;
	const lines = origins
		.split("\n")
		.map((line) => line.trim())
		.filter(Boolean);
	const wrong = lines[Number(refused?.field.split("/")[2] ?? -1)];
	const save = () =>
		change.run(async () => {
			props.onSaved(await ask<Settings>("/v1/viewer-settings", { org: props.org, method: "PUT", body: { origins: lines, lifetime_s: life } }));
			toast(t("viewer.saved"));
		});
	return (
		<section class="stack wide viewer-allowed">
			<h2>{t("viewer.allowed")}</h2>
			{change.problem && !refused ? <ProblemBanner problem={change.problem} /> : null}
			<Area
				label={t("viewer.origins")}
				rows={Math.min(8, Math.max(3, lines.length + 1))}
				value={origins}
				onInput={setOrigins}
				note={t("viewer.origins.note")}
				error={refused ? `${wrong ? `${visible(wrong)}: ` : ""}${refused.message}` : ""}
			/>
			<div class="pair">
				<Select
					label={t("viewer.life")}
					value={String(life)}
					onChange={(v) => setLife(Number(v))}
					options={[...new Set([...lives, now.lifetime_s])]
						.sort((a, b) => a - b)
						.map((s): [string, string] => [String(s), s % 60 === 0 ? t("viewer.minutes", { n: s / 60 }) : t("span.s", { n: s })])}
				/>
			</div>
			<div class="line">
				<Button kind="primary" disabled={!changed || change.busy} onClick={save}>
					{t("viewer.save")}
				</Button>
				{now.updated_at ? (
					<span class="muted small">
						{t("viewer.updated")} <Time at={now.updated_at} zone={props.zone} relative />
						{now.by ? <span class="mono"> {visible(now.by.id)}</span> : null}
					</span>
				) : null}
			</div>
		</section>
	);
}
