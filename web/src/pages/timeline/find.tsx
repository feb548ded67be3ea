// Where timelines begin: name a thing or a person, or pick one of those that the last days know.
import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { api } from "../../api/client";
import type { Entry } from "../../api/types";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { Field, Select } from "../../ui/field";
import { ProblemBanner, Skeleton } from "../../ui/notice";
import { t } from "./texts";
import type { Kind } from "./timeline";

type Party = { kind: Kind; type: string; id: string; name: string; n: number };

/** The targets and actors of the newest entries, those with most entries first. */
function parties(entries: Entry[]): Party[] {
	const found = new Map<string, Party>();
	const add = (kind: Kind, one: { type: string; id: string; name?: string } | undefined) => {
		if (!one?.type || !one.id) return;
		const key = `${kind} ${one.type} ${one.id}`;
		const known = found.get(key) ?? { kind, type: one.type, id: one.id, name: one.name ?? "", n: 0 };
		found.set(key, { ...known, name: known.name || (one.name ?? ""), n: known.n + 1 });
	};
	for (const e of entries) {
		add("actor", e.actor);
		for (const target of e.targets ?? []) add("target", target);
	}
	return [...found.values()].sort((a, b) => b.n - a.n);
}

/** The address of a timeline. */
export function timelineOf(org: string, kind: Kind, type: string, id: string): string {
	return `/o/${encodeURIComponent(org)}/${kind}s/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;
}

export default function FindTimeline() {
	const { org = "" } = useRoute().params;
	const url = useUrl();
	const [kind, setKind] = useState<Kind>("target");
	const [type, setType] = useState("");
	const [id, setId] = useState("");
	const recent = useLoad(async (signal) => parties((await api.events(org, { q: "-action:daybook.*", limit: 500 }, signal)).entries), [org]);
	useEffect(() => {
		document.title = `${t("timelines")} · Daybook`;
	}, []);
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("timelines")}</h1>
			</div>
			<div class="page-body stack wide">
				<p class="muted measure">{t("timelines.about")}</p>
				<form
					class="pair find"
					onSubmit={(event) => {
						event.preventDefault();
						if (type.trim() && id.trim()) url.go(timelineOf(org, kind, type.trim(), id.trim()));
					}}
				>
					<Select
						label={t("timelines.kind")}
						value={kind}
						onChange={(one) => setKind(one === "actor" ? "actor" : "target")}
						options={[
							["target", t("timelines.target")],
							["actor", t("timelines.actor")],
						]}
					/>
					<Field
						label={t("timelines.type")}
						mono
						value={type}
						onInput={setType}
						attributes={{ placeholder: kind === "target" ? "invoice" : "user", required: true }}
					/>
					<Field label={t("timelines.id")} mono value={id} onInput={setId} attributes={{ placeholder: "42", required: true }} />
					<div class="find-go">
						<Button kind="primary" type="submit" icon="history">
							{t("timelines.show")}
						</Button>
					</div>
				</form>
				{recent.problem ? <ProblemBanner problem={recent.problem} onRetry={recent.again} /> : null}
				{!recent.data && !recent.problem ? <Skeleton width="16rem" /> : null}
				{(["target", "actor"] as const).map((one) => {
					const some = recent.data?.filter((p) => p.kind === one).slice(0, 12) ?? [];
					return some.length > 0 ? (
						<section key={one}>
							<h2>{t(one === "target" ? "timelines.targets" : "timelines.actors")}</h2>
							<ul class="parties">
								{some.map((p) => (
									<li key={`${p.type} ${p.id}`}>
										<a href={timelineOf(org, p.kind, p.type, p.id)}>
											<bdi>{visible(p.name || p.id)}</bdi>
										</a>{" "}
										<span class="mono muted">{visible(`${p.type}:${p.id}`)}</span>
									</li>
								))}
							</ul>
						</section>
					) : null;
				})}
			</div>
		</div>
	);
}
