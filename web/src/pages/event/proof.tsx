// The proof of one event, checked here: nothing is sent but questions. The checking code is a chunk of its own.
import { useState } from "preact/hooks";
import { logPath } from "../../api/evidence";
import type { Entry } from "../../api/types";
import { isKey, number, t } from "../../messages/messages";
import { checkOf, verifyEntries } from "../../state/proofs";
import { Button, LinkButton } from "../../ui/button";
import { copy } from "../../ui/copy";
import { ProblemBanner } from "../../ui/notice";
import { ProofMark } from "../../ui/proof";
import type { Result, Verdict } from "../../verify/verifier";

const marks: Record<Verdict, string> = { ok: "✓", failed: "✗", missing: "◌", none: "–" };

export function ProofTab(props: { org: string; entry: Entry; checkpoint: number }) {
	const { org, entry } = props;
	const [busy, setBusy] = useState(false);
	const [problem, setProblem] = useState<unknown>(null);
	const found = checkOf(org, entry.seq);
	const run = () => {
		setBusy(true);
		setProblem(null);
		verifyEntries(org, [entry])
			.catch(setProblem)
			.finally(() => setBusy(false));
	};
	const line = `daybook verify ${entry.id}.tlog-proof`;
	return (
		<div class="stack proof-tab">
			{problem ? <ProblemBanner problem={problem} onRetry={run} /> : null}
			{found ? <Found found={found} seq={entry.seq} /> : null}
			{!found && entry.seq >= props.checkpoint ? (
				<p>
					<ProofMark text state="waiting" />
				</p>
			) : null}
			<div class="line">
				<Button kind={found ? "normal" : "primary"} icon="shield-check" disabled={busy} onClick={run}>
					{busy ? t("proof.busy") : found ? t("proof.again") : t("proof.check")}
				</Button>
				<LinkButton icon="download" href={`${logPath(org)}/proof/${entry.id}.tlog-proof`} download={`${entry.id}.tlog-proof`}>
					{t("proof.file")}
				</LinkButton>
			</div>
			<p class="small muted">{t("proof.independent")}</p>
			<p class="line">
				<code>{line}</code>
				<Button small kind="plain" icon="copy" label={t("copy")} onClick={() => void copy(line)} />
			</p>
			<dl class="facts small">
				<dt>{t("proof.leaf")}</dt>
				<dd class="mono">{entry.leaf_hash}</dd>
			</dl>
		</div>
	);
}

function Found(props: { found: Result; seq: number }) {
	const { found } = props;
	return (
		<div class={`proof-found ${found.state}`} role={found.state === "failed" ? "alert" : "status"}>
			<strong>
				<ProofMark text state={found.state} />
			</strong>
			{found.state === "verified" ? <p>{t("proof.says", { seq: number(props.seq), size: number(found.size), origin: found.origin })}</p> : null}
			{found.findings.map((f) => (
				<p key={f.code + f.message}>
					<code>{f.code}</code> {f.message}
				</p>
			))}
			<ul class="small">
				{(Object.entries(found.checks) as [string, Verdict][]).map(([name, verdict]) => {
					const key = `check.${name}`;
					return verdict === "none" ? null : (
						<li key={name}>
							<span aria-hidden="true">{marks[verdict]}</span> {isKey(key) ? t(key) : name}
							<span class="hidden-text">: {t(`verdict.${verdict}`)}</span>
						</li>
					);
				})}
			</ul>
			{found.withheld ? <p class="small muted">{t("proof.withheld", { n: found.withheld })}</p> : null}
		</div>
	);
}
