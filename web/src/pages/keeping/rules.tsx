// The rules of retention. What they would do is shown before they are in force.
import { useState } from "preact/hooks";
import { Problem } from "../../api/client";
import { number } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { useChange, useLoad } from "../../state/load";
import { Button } from "../../ui/button";
import { ProblemBanner, Skeleton, toast } from "../../ui/notice";
import { dayOf, Time } from "../../ui/time";
import { bytes } from "../exports/exports";
import { getRetention, type Plan, planRetention, putRetention, type Retention, type Rule } from "./api";
import { t } from "./texts";

export function Rules(props: { org: string; zone: string }) {
	const now = useLoad((signal) => getRetention(props.org, signal), [props.org]);
	if (now.problem && !now.data) return <ProblemBanner problem={now.problem} onRetry={now.again} />;
	if (!now.data) return <Skeleton width="16rem" />;
	return <Editor key={`${props.org} ${now.data.updated_at}`} org={props.org} zone={props.zone} now={now.data} onSaved={now.show} />;
}

function Editor(props: { org: string; zone: string; now: Retention; onSaved: (r: Retention) => void }) {
	const [rules, setRules] = useState<Rule[]>(props.now.rules);
	const change = useChange();
	const changed = JSON.stringify(rules) !== JSON.stringify(props.now.rules);
	const complete = rules.every((rule) => rule.keep.trim() !== "");
	const plan = useLoad(
		async (signal) => (complete ? planRetention(props.org, changed ? { rules } : {}, signal) : undefined),
		[props.org, complete ? rules : null],
	);
	const refused = [change.problem, plan.problem].find((p): p is Problem => p instanceof Problem);
	const set = (i: number, patch: Partial<Rule>) => setRules(rules.map((rule, at) => (at === i ? { ...rule, ...patch } : rule)));
	const move = (i: number, by: number) => {
		const next = [...rules];
		const [one] = next.splice(i, 1);
		if (one) next.splice(i + by, 0, one);
		setRules(next);
	};
	const save = () =>
		change.run(async () => {
			props.onSaved(await putRetention(props.org, { rules }));
			toast(t("rules.saved"));
		});
	return (
		<div class="stack wide">
			<p class="muted measure">{t("rules.about")}</p>
			{refused ? <ProblemBanner problem={refused} /> : null}
			<div class="scroll-x">
				<table class="table cards" aria-label={t("keeping.rules")}>
					<thead>
						<tr>
							<th scope="col">{t("rules.order")}</th>
							<th scope="col">{t("rules.match")}</th>
							<th scope="col">{t("rules.keep")}</th>
							<th scope="col">{t("rules.leave")}</th>
							<th scope="col">
								<span class="hidden-text">{t("actions")}</span>
							</th>
						</tr>
					</thead>
					<tbody>
						{rules.map((rule, i) => (
							<RuleRow
								key={`${i}/${rules.length}`}
								n={i}
								of={rule}
								last={i === rules.length - 1}
								wrong={refused?.field.startsWith(`/rules/${i}/`) ?? false}
								onSet={(patch) => set(i, patch)}
								onMove={(by) => move(i, by)}
								onDrop={() => setRules(rules.filter((_, at) => at !== i))}
							/>
						))}
						<tr>
							<td class="tabular muted">{rules.length + 1}</td>
							<td colSpan={4} class="muted">
								{t("rules.else")}
							</td>
						</tr>
					</tbody>
				</table>
			</div>
			<div class="line">
				<Button icon="plus" onClick={() => setRules([...rules, { match: "", keep: "90d" }])}>
					{t("rules.add")}
				</Button>
				<span class="spacer" />
				{changed ? <Button onClick={() => setRules(props.now.rules)}>{t("rules.undo")}</Button> : null}
				<Button kind="primary" disabled={!changed || !complete || change.busy} onClick={save}>
					{t("rules.apply")}
				</Button>
			</div>
			<PlanView plan={plan.data} waiting={plan.loading} changed={changed} zone={props.zone} />
			<Facts now={props.now} zone={props.zone} />
		</div>
	);
}

function RuleRow(props: {
	n: number;
	of: Rule;
	last: boolean;
	wrong: boolean;
	onSet: (patch: Partial<Rule>) => void;
	onMove: (by: number) => void;
	onDrop: () => void;
}) {
	const n = props.n + 1;
	return (
		<tr>
			<td class="tabular">{n}</td>
			<td data-label={t("rules.match")}>
				<input
					class="input mono"
					aria-label={t("rules.match.of", { n })}
					aria-invalid={props.wrong ? "true" : undefined}
					value={props.of.match}
					placeholder={t("rules.everything")}
					spellcheck={false}
					onInput={(event) => props.onSet({ match: event.currentTarget.value })}
				/>
			</td>
			<td data-label={t("rules.keep")}>
				<input
					class="input mono"
					aria-label={t("rules.keep.of", { n })}
					aria-invalid={props.of.keep.trim() === "" ? "true" : undefined}
					value={props.of.keep}
					size={8}
					onInput={(event) => props.onSet({ keep: event.currentTarget.value })}
				/>
			</td>
			<td data-label={t("rules.leave")}>
				<select
					class="input"
					aria-label={t("rules.leave.of", { n })}
					value={props.of.leave ?? ""}
					onChange={(event) => {
						const leave = (["leaf", "hash", "tile"] as const).find((one) => one === event.currentTarget.value);
						props.onSet({ leave });
					}}
				>
					<option value="">{t("rules.leave.default")}</option>
					<option value="leaf">{t("rules.leave.leaf")}</option>
					<option value="hash">{t("rules.leave.hash")}</option>
					<option value="tile">{t("rules.leave.tile")}</option>
				</select>
			</td>
			<td>
				<div class="line end nowrap">
					<Button small kind="plain" icon="chevron-up" label={t("rules.up", { n })} disabled={props.n === 0} onClick={() => props.onMove(-1)} />
					<Button small kind="plain" icon="chevron-down" label={t("rules.down", { n })} disabled={props.last} onClick={() => props.onMove(1)} />
					<Button small kind="plain" icon="trash-2" label={t("rules.drop", { n })} onClick={props.onDrop} />
				</div>
			</td>
		</tr>
	);
}

/** What the rules as they stand here would remove now, and what keeps it. */
function PlanView(props: { plan: Plan | undefined; waiting: boolean; changed: boolean; zone: string }) {
	const { plan } = props;
	if (!plan) return props.waiting ? <Skeleton width="20rem" /> : null;
	const due = plan.rules.reduce((sum, rule) => sum + rule.entries, 0);
	const weight = plan.rules.reduce((sum, rule) => sum + rule.bytes, 0);
	const holds = new Map<string, number>();
	for (const rule of plan.rules) for (const [id, n] of Object.entries(rule.held)) holds.set(id, (holds.get(id) ?? 0) + n);
	const held = [...holds.values()].reduce((sum, n) => sum + n, 0);
	return (
		<section class="plan" aria-busy={props.waiting} aria-live="polite">
			<h2>{t(props.changed ? "plan.would" : "plan.now")}</h2>
			<p>
				{due > 0 ? t("plan.due", { n: due, of: number(plan.size), size: bytes(weight) }) : t("plan.nothing", { of: number(plan.size) })}{" "}
				{held > 0 ? t("plan.held", { n: held, holds: number(holds.size) }) : ""}
			</p>
			<ul class="bullets">
				{plan.rules.map((rule, i) => (
					<li key={`${i} ${rule.rule}`}>
						<span class="mono">{visible(rule.rule)}</span>{" "}
						<span class="muted">
							{t("plan.rule", { n: rule.entries, before: dayOf(rule.before, props.zone), later: number(rule.later) })}
							{rule.next ? ` ${t("plan.next", { at: dayOf(rule.next, props.zone) })}` : ""}
						</span>
					</li>
				))}
				<li class="muted">{t("plan.kept", { n: plan.kept })}</li>
			</ul>
		</section>
	);
}

function Facts(props: { now: Retention; zone: string }) {
	const { now } = props;
	return (
		<dl class="facts">
			<dt>{t("rules.leave")}</dt>
			<dd>{t(`rules.leave.${now.leave}`)}</dd>
			<dt>{t("rules.floor")}</dt>
			<dd>{now.floor ?? t("rules.floor.none")}</dd>
			<dt>{t("rules.approvers")}</dt>
			<dd>{t("rules.approvers.n", { n: now.erasure_approvers })}</dd>
			{now.updated_at ? (
				<>
					<dt>{t("rules.updated")}</dt>
					<dd>
						<Time at={now.updated_at} zone={props.zone} relative />
						{now.updated_by ? <span class="muted mono"> {visible(now.updated_by.id)}</span> : null}
					</dd>
				</>
			) : null}
		</dl>
	);
}
