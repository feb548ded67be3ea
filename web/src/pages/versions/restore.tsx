// What a restore would change now. Daybook restores nothing: the application applies the state, and this records that it did.
import { useState } from "preact/hooks";
import { pretty } from "../../api/json";
import { visibleLines } from "../../diff/model";
import { visible } from "../../sentence/visible";
import { against, useChange, useLoad } from "../../state/load";
import { can, whoami } from "../../state/session";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { ProblemBanner, Skeleton, toast } from "../../ui/notice";
import { Changes } from "../event/changes";
import { asRecorded, getPlan, type Plan, recordRestore, type Thing } from "./api";
import { Unknown } from "./state";
import { t } from "./texts";

/** deleted: the thing is not there any more, so that a restore creates it again. */
export function RestoreDialog(props: { of: Thing; version: string; deleted: boolean; onClose: () => void; onDone: () => void }) {
	const { data: plan, problem, again } = useLoad((signal) => getPlan(props.of, props.version, signal), [props.of, props.version]);
	const [reason, setReason] = useState("");
	// One key a dialog: a second press after a lost answer records nothing more.
	const [key] = useState(() => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join(""));
	const change = useChange();
	const something = (plan?.changes.length ?? 0) > 0 || props.deleted;
	const wrong = against(change.problem, "reason");
	const record = (of: Plan) =>
		change.run(async () => {
			const who = whoami.value;
			if (!who) return;
			await recordRestore(props.of.org, of, { type: "api_key", id: who.id, ...(who.name ? { name: who.name } : {}) }, reason.trim(), key);
			toast(t("versions.recorded", { action: visible(of.event.action) }));
			props.onDone();
		});
	return (
		<Dialog
			title={t("versions.restore.title", { v: props.version })}
			onClose={props.onClose}
			class="wide"
			foot={
				plan ? (
					<>
						<Button icon="copy" onClick={() => void copy(pretty(plan.state))}>
							{t("versions.copy")}
						</Button>
						{can("record") && something ? (
							<Button kind="primary" icon="history" disabled={change.busy} onClick={() => record(plan)}>
								{t("versions.record")}
							</Button>
						) : null}
					</>
				) : undefined
			}
		>
			{problem ? <ProblemBanner problem={problem} onRetry={again} /> : null}
			{change.problem && !wrong ? <ProblemBanner problem={change.problem} /> : null}
			{!plan && !problem ? <Skeleton width="12rem" /> : null}
			{plan ? (
				<>
					<p class="measure">
						<strong>
							{props.deleted ? t("versions.would.create") : plan.changes.length > 0 ? t("versions.would", { n: plan.changes.length }) : t("versions.would.not")}
						</strong>{" "}
						{something ? t("versions.restore.about", { action: visible(plan.event.action) }) : null}
					</p>
					<Unknown exact={plan.exact} masked={plan.masked} />
					{plan.changes.length > 0 ? <Changes changes={asRecorded(plan.changes)} /> : null}
					<details>
						<summary>{t("versions.restore.json")}</summary>
						<pre class="command" tabIndex={0}>
							{visibleLines(pretty(plan.state))}
						</pre>
					</details>
					{!something ? null : can("record") ? (
						<Field label={t("versions.reason")} value={reason} onInput={setReason} error={wrong} note={t("versions.reason.note")} />
					) : (
						<p class="muted">{t("versions.record.not")}</p>
					)}
				</>
			) : null}
		</Dialog>
	);
}
