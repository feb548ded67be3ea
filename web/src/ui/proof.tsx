// How well something is proved: the mark of a row, what was checked of an event, the banner when a proof failed.
import { useEffect } from "preact/hooks";
import type { Entry } from "../api/types";
import { type Key, t } from "../messages/messages";
import { checking, log, openLog, results, stateOf, verify } from "../state/proof";
import type { Finding } from "../verify/finding";
import type { Checks, State, Verdict } from "../verify/verifier";
import { Button, LinkButton } from "./button";
import { copy } from "./copy";
import { Time } from "./time";

const glyphs: Record<State | "asked", string> = { asked: "·", waiting: "○", unchecked: "●", verified: "✓", unknown: "◌", failed: "✗" };

/** The mark of an entry: never by colour alone. With words, what it says stands beside it. */
export function ProofMark(props: { entry: Pick<Entry, "id" | "seq">; words?: boolean }) {
	const state = stateOf(props.entry);
	const text = t(`proof.${state}` as Key);
	if (props.words) {
		return (
			<span class={`proof-mark ${state}`}>
				<span aria-hidden="true">{glyphs[state]}</span> {text}
			</span>
		);
	}
	const glyph = checking.value.has(props.entry.id) ? "…" : glyphs[state];
	return (
		<span key={glyph} class={`proof-mark ${state}`} role="img" aria-label={text} title={text}>
			{glyph}
		</span>
	);
}

/** Follows the log of an organization while a page is open; the header says how far it is signed. */
export function useLog(org: string): void {
	useEffect(() => {
		const abort = new AbortController();
		const ask = () => void openLog(org, abort.signal).catch(() => undefined);
		ask();
		const timer = setInterval(ask, 30_000);
		return () => {
			abort.abort();
			clearInterval(timer);
		};
	}, [org]);
}

/** How far the log is signed. */
export function SignedBadge() {
	const info = log.value.info;
	if (!info) return null;
	return <span class="badge">{info.signedSize > 0 ? t("proof.signed", { n: info.signedSize }) : t("proof.unsigned")}</span>;
}

const kinds: (keyof Checks)[] = ["leaf", "inclusion", "signature", "consistency"];

/** What was checked of one event, in the drawer and on its page. It is verified when it is first shown. */
export function ProofTab(props: { org: string; entry: Entry; zone: string }) {
	const { org, entry } = props;
	const found = results.value.get(entry.id);
	useEffect(() => {
		if (results.value.has(entry.id)) return;
		const abort = new AbortController();
		void verify(org, [entry], abort.signal);
		return () => abort.abort();
	}, [org, entry.id]);
	const file = `/v1/organizations/${encodeURIComponent(org)}/log/proof/${encodeURIComponent(entry.id)}.tlog-proof`;
	return (
		<div class="proof-tab">
			{found ? (
				<>
					<p class={`proof-say ${found.state}`}>
						<span aria-hidden="true">{glyphs[found.state]} </span>
						{found.state === "verified"
							? t("proof.say.verified", { seq: entry.seq, size: found.size, origin: found.origin })
							: found.state === "failed"
								? t("proof.say.failed", { seq: entry.seq })
								: t("proof.say.unknown", { why: why(found.findings) })}
					</p>
					<dl class="proof-checks">
						{kinds.map((kind) => (
							<CheckRow key={kind} kind={kind} verdict={found.checks[kind]} />
						))}
					</dl>
					<Findings of={found.findings} />
					<dl class="proof-facts">
						<dt>{t("proof.leaf")}</dt>
						<dd class="mono">{found.leafHash ?? entry.leaf_hash}</dd>
						{found.signedAt ? (
							<>
								<dt>{t("proof.signed-at")}</dt>
								<dd>
									<Time at={new Date(found.signedAt * 1000).toISOString()} zone={props.zone} relative />
								</dd>
							</>
						) : null}
						{found.vkey ? (
							<>
								<dt>{t("proof.key")}</dt>
								<dd class="mono">{found.vkey}</dd>
							</>
						) : null}
						{found.withheld ? (
							<>
								<dt>{t("proof.withheld")}</dt>
								<dd>{t("proof.withheld.n", { n: found.withheld })}</dd>
							</>
						) : null}
					</dl>
				</>
			) : (
				<p class="muted" aria-live="polite">
					{checking.value.has(entry.id) ? t("proof.checking") : t(`proof.${stateOf(entry)}` as Key)}
				</p>
			)}
			<div class="line">
				<Button icon="rotate-cw" onClick={() => void verify(org, [entry])} disabled={checking.value.has(entry.id)}>
					{t("proof.again")}
				</Button>
				<LinkButton icon="download" href={file} download>
					{t("proof.file")}
				</LinkButton>
				{found?.note ? (
					<Button icon="copy" onClick={() => void copy(found.note)}>
						{t("proof.copy-note")}
					</Button>
				) : null}
			</div>
			<p class="small muted">{t("proof.independent")}</p>
			<code class="command">{`daybook verify ${entry.id}.tlog-proof`}</code>
		</div>
	);
}

/** What was found false or missing, each with what was stated and what was computed. */
export function Findings(props: { of: readonly Finding[] }) {
	if (props.of.length === 0) return null;
	return (
		<ul class="proof-findings">
			{props.of.map((f) => (
				<li key={`${f.code} ${f.seq} ${f.message}`}>
					<code>{f.code}</code> {f.message}
					{f.want ? (
						<div class="mono small">
							{t("proof.want")} {f.want}
							<br />
							{t("proof.got")} {f.got}
						</div>
					) : null}
				</li>
			))}
		</ul>
	);
}

const verdicts: Record<Verdict, string> = { ok: "✓", failed: "✗", missing: "◌", none: "–" };

function CheckRow(props: { kind: keyof Checks; verdict: Verdict }) {
	return (
		<div class="proof-check">
			<dt>
				<span class={`proof-mark ${props.verdict}`} aria-hidden="true">
					{verdicts[props.verdict]}
				</span>
				{t(`proof.check.${props.kind}` as Key)}
			</dt>
			<dd class="muted">
				{t(`proof.verdict.${props.verdict}` as Key)} · {t(`proof.about.${props.kind}` as Key)}
			</dd>
		</div>
	);
}

/** Why something cannot be verified, for people. */
export function why(findings: readonly { code: string; message: string }[]): string {
	const first = findings[0];
	if (!first) return t("proof.why.unreachable");
	if (first.code === "key_unknown" || first.code === "epoch_changed") return t("proof.why.key");
	return first.code === "unreachable" ? `${t("proof.why.unreachable")} ${first.message}` : first.message;
}
