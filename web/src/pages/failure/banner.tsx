// The banner over every page of an organization whose log is not what it was, until somebody acknowledges it. The acknowledgement is the
// server's: it is recorded, and it is for everybody.
import { useState } from "preact/hooks";
import { ask } from "../../api/client";
import { number } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { useChange } from "../../state/load";
import { type Alarm, alarms, log, openLog } from "../../state/proof";
import { can, offline } from "../../state/session";
import { Button, LinkButton } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Area } from "../../ui/field";
import { ProblemBanner, toast } from "../../ui/notice";
import { Time } from "../../ui/time";
import { t } from "./texts";

type Name = Parameters<typeof t>[0];

export default function FailureBanner(props: { org: string }) {
	const { org } = props;
	const [asking, setAsking] = useState(false);
	const all = alarms.value;
	const first = all[0];
	if (!first) return null;
	const own = first.by?.type === "system";
	const line = commandOf(org, own);
	// Of a damaged store only what stands before the damage can be evidence.
	const bundle = `/v1/organizations/${encodeURIComponent(org)}/log/bundle${own && first.seq > 0 ? `?to=${first.seq}` : ""}`;
	return (
		<section class="failure-banner" role="alert" aria-labelledby="failure-title">
			<h2 id="failure-title">
				<span aria-hidden="true">✗ </span>
				{first.seq >= 0
					? t("failure.at", { seq: first.seq })
					: own
						? t("failure.store")
						: first.check === "consistency"
							? t("failure.whole")
							: first.check === "signature"
								? t("failure.signature")
								: t("failure.tree")}
			</h2>
			<p>
				{visible(first.detail)} <code>{first.finding}</code>
			</p>
			<dl>
				<Fact name={t("failure.checked")}>{t(`failure.check.${first.check}` as Name)}</Fact>
				<Fact name={t("failure.first")}>{first.seq >= 0 ? number(first.seq) : t("failure.first.none")}</Fact>
				{first.want ? <Fact name={t("failure.stated")}>{<span class="mono">{first.want}</span>}</Fact> : null}
				{first.got ? <Fact name={t("failure.computed")}>{<span class="mono">{first.got}</span>}</Fact> : null}
				<Fact name={t("failure.found")}>
					<Time at={first.found_at} zone="UTC" /> {first.by ? t("failure.by", { by: first.by.id }) : t("failure.here")}
				</Fact>
				<Fact name={t("failure.cli")}>
					<code>{line}</code> <Button small kind="plain" icon="copy" label={t("failure.copy-line")} onClick={() => void copy(line)} />
				</Fact>
			</dl>
			<div class="line">
				{all.length > 1 ? <a href={`/o/${encodeURIComponent(org)}/integrity`}>{t("failure.more", { n: all.length - 1 })}</a> : null}
				{can("export") && !offline.value && (!own || first.seq !== 0) ? (
					<LinkButton icon="download" href={bundle} download={`${org}.daybook`}>
						{t("failure.bundle")}
					</LinkButton>
				) : null}
				{can("manage") ? <Button onClick={() => setAsking(true)}>{t("failure.acknowledge")}</Button> : offline.value ? null : <span>{t("failure.who")}</span>}
			</div>
			{asking ? <Acknowledge org={org} of={all} onClose={() => setAsking(false)} /> : null}
		</section>
	);
}

function Fact(props: { name: string; children: preact.ComponentChildren }) {
	return (
		<div>
			<dt>{props.name}</dt>
			<dd>{props.children}</dd>
		</div>
	);
}

/** What to type to check without this page: the operator's check of the store, or anybody's of the log. */
function commandOf(org: string, own: boolean): string {
	const vkey = log.value.org === org ? log.value.info?.keys.at(-1)?.vkey : undefined;
	if (offline.value) return `daybook verify '${offline.value.file}' --vkey ${vkey ?? "VKEY"}`;
	return own ? "daybook fsck" : `daybook verify --org ${org} --full --vkey ${vkey ?? "VKEY"}`;
}

function Acknowledge(props: { org: string; of: Alarm[]; onClose: () => void }) {
	const [reason, setReason] = useState("");
	const change = useChange();
	const run = () =>
		change.run(async () => {
			const failures = props.of.map(({ check, finding, seq, size, want, got, detail }) => ({ check, finding, seq, size, want, got, detail }));
			await ask(`/v1/organizations/${encodeURIComponent(props.org)}/log/failures`, { org: props.org, body: { failures, reason } });
			await openLog(props.org);
			toast(t("failure.acknowledged"));
			props.onClose();
		});
	return (
		<Dialog
			title={t("failure.acknowledge.title")}
			onClose={props.onClose}
			foot={
				<Button kind="primary" disabled={change.busy || reason.trim() === ""} onClick={run}>
					{t("failure.acknowledge.do")}
				</Button>
			}
		>
			{change.problem ? <ProblemBanner problem={change.problem} /> : null}
			<p>{t("failure.acknowledge.about")}</p>
			<Area label={t("failure.reason")} value={reason} rows={3} onInput={setReason} note={t("failure.reason.note")} />
		</Dialog>
	);
}
