// How to ask: examples and the fields of the organization, each a button that writes it into the search box.
import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { Dialog } from "../../ui/dialog";
import { Skeleton } from "../../ui/notice";
import { t } from "./texts";

type Completions = { completions: { text: string; means: string }[] };

/** More than the language has; what is left over are the organization's own. */
const most = 100;

const examples = [
	["actor:usr_1 action:invoice.*", "help.two"],
	["outcome:failure,denied", "help.any"],
	["-action:daybook.*", "help.not"],
	["target:invoice:42", "help.target"],
	["occurred:2026-11-01..2026-11-08", "help.time"],
	["http.status_code:>=500", "help.number"],
	["changed:amount", "help.changed"],
	["has:via", "help.has"],
	["meta.plan:pro", "help.meta"],
	["ip:10.0.0.0/8", "help.ip"],
	['"paid by card"', "help.phrase"],
	["refund*", "help.word"],
	["(outcome:failure OR outcome:denied) -actor.type:system", "help.group"],
] as const;

/** write gets an example, or a field with its colon. Whoever asked gets the focus back when onClose unmounts it. */
export default function QueryHelp(props: { org: string; onWrite: (text: string, whole: boolean) => void; onClose: () => void }) {
	const fields = useLoad((signal) => ask<Completions>("/v1/complete", { org: props.org, params: { q: "", pos: 0, limit: most }, signal }), [props.org]);
	useEffect(() => document.querySelector<HTMLElement>(".query-help button")?.focus(), []);
	return (
		<Dialog title={t("help.title")} onClose={props.onClose} class="query-help-dialog">
			<div class="query-help">
				<p class="muted">{t("help.about")}</p>
				<h3>{t("help.examples")}</h3>
				<ul>
					{examples.map(([text, means]) => (
						<Line key={text} text={text} means={t(means)} onPress={() => props.onWrite(text, true)} />
					))}
				</ul>
				<h3>{t("help.fields")}</h3>
				<p class="muted small">{t("help.fields.about")}</p>
				{fields.problem ? <p class="muted">{t("help.failed")}</p> : null}
				{!fields.data && !fields.problem ? <Skeleton width="16rem" /> : null}
				<ul>
					{fields.data?.completions.map((c) => (
						<Line key={c.text} text={c.text} means={c.means} onPress={() => props.onWrite(c.text, false)} />
					))}
				</ul>
			</div>
		</Dialog>
	);
}

function Line(props: { text: string; means: string; onPress: () => void }) {
	return (
		<li>
			<button type="button" class="link-button mono" onClick={props.onPress}>
				{visible(props.text)}
			</button>
			<span class="muted small">{visible(props.means)}</span>
		</li>
	);
}
