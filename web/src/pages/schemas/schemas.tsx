// What events must look like, and what they say: the schemas of an organization's actions, and their versions.
import { Fragment } from "preact";
import { useEffect } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { writeValue } from "../../query/terms";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { can } from "../../state/session";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Select } from "../../ui/field";
import { Empty, ProblemBanner, Skeleton } from "../../ui/notice";
import { dayOf, Time, zoneOf } from "../../ui/time";
import { type Action, bodyOf, curlOf, listActions, listVersions, partsOf, type Schema } from "./api";
import { Count, CountNote, useCounts } from "./counts";
import { NewVersion } from "./form";
import { Preview, useExample } from "./preview";
import { t } from "./texts";

export default function Schemas() {
	const { org = "" } = useRoute().params;
	const url = useUrl();
	const zone = zoneOf(url.get("tz"));
	const action = url.get("action");
	const list = useLoad((signal) => listActions(org, signal), [org]);
	useEffect(() => {
		document.title = `${t("schemas")} · Daybook`;
	}, []);
	const chosen = list.data?.find((a) => a.action === action);
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("schemas")}</h1>
				<span class="spacer" />
				{can("manage") ? (
					<Button kind="primary" icon="plus" onClick={() => url.set({ new: "1", action: null, v: null }, true)}>
						{t("schemas.new")}
					</Button>
				) : null}
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			<div class="page-body schemas">
				<p class="muted measure">{t("schemas.about")}</p>
				{!list.data && !list.problem ? <Skeleton width="16rem" /> : null}
				{list.data?.length === 0 ? (
					<Empty title={t("schemas.none")}>
						<p>{t("schemas.none.about")}</p>
					</Empty>
				) : null}
				{list.data && list.data.length > 0 ? <Actions org={org} list={list.data} chosen={action} zone={zone} /> : null}
				{chosen ? <OneAction key={chosen.action} org={org} of={chosen} zone={zone} /> : null}
				{action && list.data && !chosen ? <p role="status">{t("schemas.unknown", { action: visible(action) })}</p> : null}
			</div>
			{url.get("new") && list.data ? (
				<NewVersion
					key={chosen?.action ?? ""}
					org={org}
					from={chosen?.schema}
					onClose={() => url.set({ new: null })}
					onMade={(made) => {
						url.set({ new: null, action: made.action, v: null });
						list.again();
					}}
				/>
			) : null}
		</div>
	);
}

function Actions(props: { org: string; list: Action[]; chosen: string; zone: string }) {
	const url = useUrl();
	const counts = useCounts(props.org);
	return (
		<div class="scroll-x">
			<table class="table cards" aria-label={t("schemas")}>
				<thead>
					<tr>
						<th scope="col">{t("schemas.action")}</th>
						<th scope="col" class="number">
							{t("schemas.version")}
						</th>
						<th scope="col">{t("schemas.recent")}</th>
						<th scope="col">{t("schemas.sentence")}</th>
						<th scope="col">{t("schemas.updated")}</th>
					</tr>
				</thead>
				<tbody>
					{props.list.map((a) => (
						<tr key={a.action} class={a.action === props.chosen ? "chosen" : ""}>
							<td>
								<a class="mono" href={url.with({ action: a.action, v: null })} aria-current={a.action === props.chosen ? "true" : undefined}>
									{visible(a.action)}
								</a>{" "}
								{a.org === null ? <span class="badge">{t("schemas.shared")}</span> : null}
							</td>
							<td class="number" data-label={t("schemas.version")}>
								{a.schema.version}
							</td>
							<td class="nowrap" data-label={t("schemas.recent")}>
								<Count org={props.org} action={a.action} of={counts.data} />
							</td>
							<td data-label={t("schemas.sentence")}>{a.schema.sentence ? visible(a.schema.sentence) : <span class="muted">{t("schemas.bare")}</span>}</td>
							<td class="nowrap" data-label={t("schemas.updated")}>
								{dayOf(a.updated_at, props.zone)}
							</td>
						</tr>
					))}
				</tbody>
			</table>
			<CountNote of={counts} />
		</div>
	);
}

/** One action: its versions, what the chosen one asks for and says. */
function OneAction(props: { org: string; of: Action; zone: string }) {
	const url = useUrl();
	const { action, schema } = props.of;
	const versions = useLoad((signal) => listVersions(props.org, action, signal), [props.org, action, schema.version]);
	const example = useExample(props.org, action);
	const shown = versions.data?.find((s) => String(s.version) === url.get("v")) ?? schema;
	const events = `/o/${encodeURIComponent(props.org)}/events?q=${encodeURIComponent(`action:${writeValue(action)}`)}`;
	return (
		<section class="schema-one" aria-label={visible(action)}>
			<div class="line">
				<h2 class="mono">{visible(action)}</h2>
				<a href={events}>{t("schemas.events")}</a>
				<span class="spacer" />
				{can("manage") ? (
					<Button icon="plus" onClick={() => url.set({ new: "1" }, true)}>
						{t("schemas.version.new")}
					</Button>
				) : null}
			</div>
			{versions.problem ? <ProblemBanner problem={versions.problem} onRetry={versions.again} /> : null}
			<div class="pair">
				<Select
					label={t("schemas.version")}
					value={String(shown.version)}
					onChange={(v) => url.set({ v: v === String(schema.version) ? null : v }, true)}
					options={(versions.data ?? [schema]).map((s): [string, string] => [
						String(s.version),
						t(s.version === schema.version ? "schemas.version.newest" : "schemas.version.older", {
							n: String(s.version),
							day: dayOf(s.created_at, props.zone),
						}),
					])}
				/>
			</div>
			<dl class="facts">
				<dt>{t("schemas.registered")}</dt>
				<dd>
					<Time at={shown.created_at} zone={props.zone} relative /> {shown.by ? <span class="muted mono">{visible(shown.by.id)}</span> : null}
				</dd>
				{(["sentence", "sentence_failure", "sentence_denied"] as const).map((name) =>
					shown[name] ? (
						<Fragment key={name}>
							<dt>{t(`schemas.${name}`)}</dt>
							<dd>{visible(shown[name])}</dd>
						</Fragment>
					) : null,
				)}
			</dl>
			<Preview example={example.data} sentences={shown} />
			<Text org={props.org} of={shown} />
		</section>
	);
}

/** The schema as a text, to copy as it is or as the call that registers it. */
function Text(props: { org: string; of: Schema }) {
	const parts = partsOf(props.of);
	const { sentence, sentence_failure, sentence_denied } = props.of;
	const body = bodyOf(parts, {
		...(sentence ? { sentence } : {}),
		...(sentence_failure ? { sentence_failure } : {}),
		...(sentence_denied ? { sentence_denied } : {}),
	});
	return (
		<div class="stack wide">
			{parts === "{}" ? <p class="muted">{t("schemas.shapeless")}</p> : <pre class="command">{parts.split("\n").map(visible).join("\n")}</pre>}
			<div class="line">
				<Button small icon="copy" onClick={() => void copy(parts)}>
					{t("schemas.copy")}
				</Button>
				<Button small icon="copy" onClick={() => void copy(curlOf(window.location.origin, props.org, props.of.action, body))}>
					{t("schemas.copy.curl")}
				</Button>
			</div>
		</div>
	);
}
