// The Integrity page: verifies in this browser what is new since the last time, and says what stands behind it.
import { useEffect, useRef, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { visible } from "../../sentence/visible";
import { failure, known, log, openLog, verifierOf } from "../../state/proof";
import { can, offline } from "../../state/session";
import { useUrl } from "../../state/url";
import { Button, LinkButton } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Empty, ProblemBanner, say } from "../../ui/notice";
import { Findings, useLog, why } from "../../ui/proof";
import { Time, zoneOf } from "../../ui/time";
import { exitOf, type Finding, faultOf, isFalse } from "../../verify/finding";
import type { Memory } from "../../verify/memory";
import type { LogInfo, Progress, RangeResult, Verifier } from "../../verify/verifier";
import { Checkpoints } from "./checkpoints";
import { t } from "./texts";

/** Findings that only a person can settle: the server shows a log or a key that nobody vouched for. */
const changed = new Set<Finding["code"]>(["key_unknown", "epoch_changed"]);

export default function Integrity() {
	const org = useRoute().params["org"] ?? "";
	const zone = zoneOf(useUrl().get("tz"));
	const [memory, setMemory] = useState<Memory | undefined>();
	const [problem, setProblem] = useState<unknown>(null);
	useLog(org);
	useEffect(() => {
		document.title = `${t("integrity")} · Daybook`;
	}, []);
	useEffect(() => {
		let gone = false;
		setMemory(undefined);
		verifierOf(org)
			.then((v) => gone || setMemory(v.memory))
			.catch((error: unknown) => gone || setProblem(error));
		return () => {
			gone = true;
		};
	}, [org]);
	const info = log.value.org === org ? log.value.info : null;
	return (
		<div class="integrity">
			<div class="page-head">
				<h1>{t("integrity")}</h1>
			</div>
			{problem ? <ProblemBanner problem={problem} onRetry={() => location.reload()} /> : null}
			<div class="integrity-body" aria-busy={!info}>
				{info && info.size === 0 ? <Empty title={t("integrity.empty")} /> : null}
				{info && info.size > 0 ? (
					<>
						<Facts info={info} memory={memory} zone={zone} />
						<Check key={org} org={org} info={info} memory={memory} onLearned={setMemory} />
						<Checkpoints key={`checkpoints of ${org}`} org={org} signed={info.signedSize} memory={memory} zone={zone} />
						<Failures />
						<Independent org={org} info={info} />
					</>
				) : null}
			</div>
		</div>
	);
}

/** What is known of the log. */
function Facts(props: { info: LogInfo; memory: Memory | undefined; zone: string }) {
	const { info, memory } = props;
	const pinned = memory?.keys.at(-1);
	return (
		<dl class="integrity-facts">
			<div>
				<dt>{t("integrity.log")}</dt>
				<dd class="mono">{info.origin}</dd>
			</div>
			<div>
				<dt>{t("integrity.size")}</dt>
				<dd class="tabular">{t("integrity.size.n", { n: info.size, signed: info.signedSize })}</dd>
			</div>
			<div>
				<dt>{t("integrity.key")}</dt>
				<dd>
					<span class="mono">{pinned?.vkey ?? info.keys.at(-1)?.vkey ?? ""}</span>{" "}
					<span class="muted">{pinned ? t("integrity.pinned", { at: pinned.since.slice(0, 10) }) : t("integrity.not-pinned")}</span>
				</dd>
			</div>
			{memory?.checked ? (
				<div>
					<dt>{t("integrity.previous")}</dt>
					<dd>
						{t("integrity.checked", { from: memory.checked.from, to: memory.checked.to - 1 })} · <Time at={memory.checked.at} zone={props.zone} relative />
					</dd>
				</div>
			) : null}
			{info.minIndex > 0 && !offline.value ? (
				<div>
					<dt>{t("integrity.removed")}</dt>
					<dd>{t("integrity.min-index", { n: info.minIndex })}</dd>
				</div>
			) : null}
		</dl>
	);
}

/** Verifies a range and shows how far it is. */
function Check(props: { org: string; info: LogInfo; memory: Memory | undefined; onLearned: (m: Memory | undefined) => void }) {
	const { org, info, memory } = props;
	const [progress, setProgress] = useState<Progress | null>(null);
	const [result, setResult] = useState<RangeResult | null>(null);
	const running = useRef<AbortController | null>(null);
	const gone = useRef(false);
	useEffect(
		() => () => {
			gone.current = true;
			running.current?.abort();
		},
		[],
	);
	const known = memory?.checked && memory.checked.from <= info.minIndex ? memory.checked.to : info.minIndex;
	const file = offline.value;
	const last = file?.to ?? info.size; // a file may end before the tree that it is proved in
	const fresh = Math.max(0, last - known);

	async function run(from: number) {
		const abort = new AbortController();
		running.current = abort;
		setResult(null);
		setProgress({ done: 0, total: 0 });
		let found: RangeResult;
		let verifier: Verifier | undefined;
		try {
			verifier = await verifierOf(org);
			const { note, findings } = await verifier.checkpoint(abort.signal);
			const end = file?.to ?? note.size;
			const first = Math.min(from, end);
			setProgress({ done: 0, total: end - first });
			// A key that is not pinned may be vouched for by one that is: the evidence says so.
			found = await verifier.range(first < end ? first : Math.max(info.minIndex, end - 1), end, note.size, setProgress, abort.signal);
			if (exitOf(findings) === 6 && found.state === "verified") found = { ...found, state: "failed", findings };
		} catch (error) {
			const stopped = abort.signal.aborted;
			const finding = faultOf(error);
			found = {
				from,
				to: from,
				done: from,
				size: 0,
				findings: stopped ? [] : [finding],
				state: stopped ? "stopped" : isFalse(finding.code) ? "failed" : "unknown",
				removed: { pruned: 0, erased: 0, fields: 0 },
				seq: finding.seq ?? -1,
				note: "",
			};
		}
		running.current = null;
		if (gone.current) return; // what the page shows by now may be another log's
		setProgress(null);
		setResult(found);
		failure.value = verifier?.memory?.failure ?? null;
		props.onLearned(verifier?.memory);
		say(sentence(found));
		await openLog(org).catch(() => undefined);
	}

	return (
		<section class="integrity-check" aria-labelledby="integrity-check">
			<h2 id="integrity-check">{t("integrity.check")}</h2>
			<div class="line">
				{progress ? (
					<Button icon="x" onClick={() => running.current?.abort()}>
						{t("integrity.stop")}
					</Button>
				) : (
					<>
						<Button kind="primary" icon="shield-check" onClick={() => void run(known)}>
							{known > info.minIndex ? (fresh > 0 ? t("integrity.new", { n: fresh }) : t("integrity.again")) : t("integrity.all", { n: last - info.minIndex })}
						</Button>
						{known > info.minIndex ? <Button onClick={() => void run(info.minIndex)}>{t("integrity.from-start")}</Button> : null}
					</>
				)}
				<span class="muted">{t("integrity.here")}</span>
			</div>
			{progress ? (
				<div class="line">
					<progress max={Math.max(1, progress.total)} value={progress.done} aria-label={t("integrity.progress")} />
					<span class="tabular">{t("integrity.progress.n", { done: progress.done, total: progress.total })}</span>
				</div>
			) : null}
			{result ? <Outcome org={org} result={result} onLearned={props.onLearned} /> : null}
		</section>
	);
}

function sentence(r: RangeResult): string {
	const f = offline.value;
	if (r.state === "verified")
		return t(f && (f.filtered || f.mask.length > 0) ? "integrity.verified.part" : "integrity.verified", { from: r.from, to: r.to - 1, size: r.size });
	if (r.state === "stopped") return t("integrity.stopped", { n: r.done - r.from });
	if (r.state === "failed") return r.seq >= 0 ? t("failure.at", { seq: r.seq }) : t("failure.whole");
	return t("proof.say.unknown", { why: why(r.findings) });
}

const marks = { verified: "✓", failed: "✗", unknown: "◌", stopped: "◌" };

function Outcome(props: { org: string; result: RangeResult; onLearned: (m: Memory | undefined) => void }) {
	const r = props.result;
	const isNew = r.findings.some((f) => changed.has(f.code));
	return (
		<div class="integrity-outcome">
			<p class={`proof-say ${r.state}`}>
				<span aria-hidden="true">{marks[r.state]} </span>
				{sentence(r)}
			</p>
			{r.state === "verified" ? (
				<p class="muted">{r.removed.pruned + r.removed.erased + r.removed.fields > 0 ? t("integrity.lawful", r.removed) : t("integrity.nothing-removed")}</p>
			) : null}
			<Findings of={r.findings.slice(0, 20)} />
			{isNew ? (
				<div class="stack">
					<p>{t("integrity.key-changed")}</p>
					<Button
						kind="danger"
						onClick={() =>
							void verifierOf(props.org).then((v) => {
								v.acceptNew();
								props.onLearned(v.memory);
							})
						}
					>
						{t("integrity.accept")}
					</Button>
				</div>
			) : null}
		</div>
	);
}

/** What was found false of this log, and who has acknowledged it. */
function Failures() {
	if (known.value.length === 0) return null;
	return (
		<section aria-labelledby="integrity-failures">
			<h2 id="integrity-failures">{t("integrity.failures")}</h2>
			<ul class="integrity-failures">
				{known.value.map((a) => (
					<li key={`${a.finding} ${a.seq} ${a.want} ${a.got}`}>
						<div class={a.acknowledged ? "" : "danger"}>
							<span aria-hidden="true">✗ </span>
							{visible(a.detail)} <code>{a.finding}</code>
						</div>
						<div class="muted small">
							{t("integrity.found")} <Time at={a.found_at} zone="UTC" />
							{" · "}
							{a.acknowledged ? (
								<>
									{t("integrity.acknowledged", { by: `${a.acknowledged.by.type} ${a.acknowledged.by.id}` })} <Time at={a.acknowledged.at} zone="UTC" />:{" "}
									{visible(a.acknowledged.reason)}
								</>
							) : (
								t("integrity.not-acknowledged")
							)}
						</div>
					</li>
				))}
			</ul>
		</section>
	);
}

/** How to check without trusting this page. */
function Independent(props: { org: string; info: LogInfo }) {
	const vkey = props.info.keys.at(-1)?.vkey ?? "VKEY";
	const file = offline.value;
	const line = file ? `daybook verify '${file.file}' --vkey '${vkey}'` : `daybook verify --org ${props.org} --vkey ${vkey}`;
	return (
		<section aria-labelledby="integrity-elsewhere">
			<h2 id="integrity-elsewhere">{t("integrity.elsewhere")}</h2>
			<p>{t(file ? "integrity.elsewhere.file" : "integrity.elsewhere.about")}</p>
			<div class="line">
				<code class="integrity-line">{line}</code>
				<Button small icon="copy" label={t("integrity.copy-line")} onClick={() => void copy(line)} />
			</div>
			{can("export") && !file ? (
				<LinkButton icon="download" href={`/v1/organizations/${encodeURIComponent(props.org)}/log/bundle`} download={`${props.org}.daybook`}>
					{t("integrity.bundle")}
				</LinkButton>
			) : null}
		</section>
	);
}
