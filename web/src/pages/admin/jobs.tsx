// What is under way: exports and erasures of organizations.
import { visible } from "../../sentence/visible";
import { can } from "../../state/session";
import { ago, shortTime, zoneName } from "../../ui/time";
import { Progress } from "../exports/progress";
import type { Job } from "./api";
import { t } from "./texts";

export function Jobs(props: { of: Job[]; zone: string }) {
	return (
		<section class="stack wide" id="jobs">
			<h2>{t("admin.jobs")}</h2>
			{props.of.length === 0 ? <p class="muted">{t("admin.jobs.none")}</p> : <List of={props.of} zone={props.zone} />}
		</section>
	);
}

function List(props: { of: Job[]; zone: string }) {
	const asked = t("admin.job.asked", { zone: zoneName(props.zone) });
	return (
		<div class="scroll-x">
			<table class="table cards">
				<thead>
					<tr>
						<th scope="col">{t("admin.job")}</th>
						<th scope="col">{t("admin.org")}</th>
						<th scope="col">{t("admin.state")}</th>
						<th scope="col">{asked}</th>
					</tr>
				</thead>
				<tbody>
					{props.of.map((j) => (
						<tr key={j.id}>
							<td>
								<Name of={j} />
								<div class="mono muted">{j.id}</div>
							</td>
							<td class="mono" data-label={t("admin.org")}>
								{visible(j.org)}
							</td>
							<td data-label={t("admin.state")}>
								{j.kind === "export" && j.state === "running" ? <Progress done={j.done} of={j.of} since={j.started_at} /> : t(`admin.job.${j.state}`)}
							</td>
							<td class="nowrap" data-label={asked}>
								<time class="tabular" dateTime={j.asked_at}>
									{shortTime(j.asked_at, props.zone)}
								</time>{" "}
								<span class="muted">{ago(j.asked_at)}</span>
							</td>
						</tr>
					))}
				</tbody>
			</table>
		</div>
	);
}

function Name(props: { of: Job }) {
	const j = props.of;
	const text = t(`admin.job.${j.kind}`);
	return j.kind === "export" && can("export") ? <a href={`/o/${encodeURIComponent(j.org)}/exports/${j.id}`}>{text}</a> : text;
}
