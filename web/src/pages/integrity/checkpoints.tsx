// The checkpoints that the server has stored, newest first. Any one can be held against the newest, in this browser.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../../api/client";
import { number } from "../../messages/messages";
import { failure, log, verifierOf } from "../../state/proof";
import { can } from "../../state/session";
import { Button, LinkButton } from "../../ui/button";
import { ProblemBanner, say } from "../../ui/notice";
import { shortTime, zoneName } from "../../ui/time";
import { exitOf, type Finding } from "../../verify/finding";
import type { Memory } from "../../verify/memory";
import { t } from "./texts";

type Row = { size: number; signed_at: string; root: string; note: string; damaged?: boolean };
type Page = { checkpoints: Row[]; next_cursor: string | null };

type Props = { org: string; signed: number; memory: Memory | undefined; zone: string };

export function Checkpoints(props: Props) {
	const { org } = props;
	const [rows, setRows] = useState<Row[]>([]);
	const [next, setNext] = useState<string | null>(null);
	const [problem, setProblem] = useState<unknown>(null);
	const path = `/v1/organizations/${encodeURIComponent(org)}/log/checkpoints`;

	const asking = useRef<AbortController | null>(null);
	const [busy, setBusy] = useState(false);

	/** Reads the page at cursor, or the first anew: what was asked before is let go, since one follows on the other. */
	async function load(cursor: string) {
		asking.current?.abort();
		const abort = new AbortController();
		asking.current = abort;
		setBusy(true);
		try {
			const page = await ask<Page>(path, { org, params: { limit: 10, cursor }, signal: abort.signal });
			if (abort.signal.aborted) return;
			setRows((was) => (cursor ? [...was, ...page.checkpoints] : page.checkpoints));
			setNext(page.next_cursor);
			setProblem(null);
		} catch (error) {
			if (!abort.signal.aborted) setProblem(error);
		} finally {
			if (asking.current === abort) setBusy(false);
		}
	}
	useEffect(() => {
		void load("");
		return () => asking.current?.abort();
	}, [org, props.signed]);
	if (rows.length === 0 && !problem) return null;
	return (
		<section aria-labelledby="integrity-checkpoints">
			<h2 id="integrity-checkpoints">{t("integrity.checkpoints")}</h2>
			<p class="muted">{t("integrity.checkpoints.about")}</p>
			{problem ? <ProblemBanner problem={problem} onRetry={() => void load("")} /> : null}
			<div class="scroll-x">
				<table class="table cards" aria-label={t("integrity.checkpoints")}>
					<thead>
						<tr>
							<th scope="col">{t("integrity.proof")}</th>
							<th scope="col" class="number">
								{t("integrity.size")}
							</th>
							<th scope="col">{t("integrity.signed-at", { zone: zoneName(props.zone) })}</th>
							<th scope="col">
								<span class="hidden-text">{t("actions")}</span>
							</th>
						</tr>
					</thead>
					<tbody>
						{rows.map((row) => (
							<Checkpoint key={row.size} {...props} row={row} path={path} />
						))}
					</tbody>
				</table>
			</div>
			{next ? (
				<Button disabled={busy} onClick={() => void load(next)}>
					{t("integrity.older")}
				</Button>
			) : null}
		</section>
	);
}

function Checkpoint(props: Props & { row: Row; path: string }) {
	const { org, row } = props;
	const [busy, setBusy] = useState(false);
	const [findings, setFindings] = useState<Finding[] | null>(null);
	const state = stateOf(row, props.memory, findings);

	async function hold() {
		setBusy(true);
		try {
			const verifier = await verifierOf(org);
			const found = await verifier.past(row.note);
			setFindings(found);
			if (log.value.org === org) failure.value = verifier.memory?.failure ?? null;
			say(stateOf(row, props.memory, found).text);
		} finally {
			setBusy(false);
		}
	}
	return (
		<tr>
			<td class="tabular" data-label={t("integrity.proof")}>
				<span class={`proof-mark ${state.mark}`} role="img" aria-label={state.text} title={state.text}>
					{busy ? "…" : state.glyph}
				</span>
				{state.mark === "failed" || state.mark === "unknown" ? <span class={state.mark === "failed" ? "danger" : "muted"}> {state.text}</span> : null}
			</td>
			<td class="number" data-label={t("integrity.size")}>
				{number(row.size)}
			</td>
			<td class="tabular nowrap" data-label={t("integrity.signed-at", { zone: zoneName(props.zone) })}>
				{shortTime(row.signed_at, props.zone)}
			</td>
			<td>
				<div class="line end nowrap">
					{row.damaged ? null : (
						<>
							<Button small icon="shield-check" disabled={busy} label={t("integrity.hold.n", { n: row.size })} onClick={() => void hold()}>
								{t("integrity.hold")}
							</Button>
							<LinkButton
								small
								kind="plain"
								icon="download"
								label={t("integrity.download", { n: row.size })}
								href={`${props.path}/${row.size}`}
								download={`${org}-${row.size}.checkpoint`}
							/>
						</>
					)}
					{can("export") && !row.damaged ? (
						<LinkButton
							small
							kind="plain"
							icon="archive"
							label={t("integrity.bundle-to", { n: row.size })}
							href={`/v1/organizations/${encodeURIComponent(org)}/log/bundle?size=${row.size}`}
							download={`${org}-${row.size}.daybook`}
						/>
					) : null}
				</div>
			</td>
		</tr>
	);
}

type Mark = { mark: "verified" | "unchecked" | "unknown" | "failed"; glyph: string; text: string };

/** How a checkpoint stands: what was checked now wins over what this browser remembers. */
function stateOf(row: Row, memory: Memory | undefined, findings: Finding[] | null): Mark {
	if (row.damaged) return { mark: "failed", glyph: "✗", text: t("integrity.damaged") };
	const mine = memory?.seen?.find((s) => s.size === row.size);
	if (mine && mine.note.split("\n")[2] !== row.root) return { mark: "failed", glyph: "✗", text: t("integrity.other-root") };
	if (findings) {
		const exit = exitOf(findings);
		const why = findings[0] ? `${findings[0].code}: ${findings[0].message}` : "";
		if (exit === 6) return { mark: "failed", glyph: "✗", text: why };
		if (exit === 7) return { mark: "unknown", glyph: "◌", text: why };
		return { mark: "verified", glyph: "✓", text: t("integrity.held") };
	}
	if (mine) return { mark: "verified", glyph: "✓", text: t("integrity.yours", { at: mine.at.slice(0, 10) }) };
	return { mark: "unchecked", glyph: "●", text: t("integrity.unchecked") };
}
