// One export in full: what is in the file, what is not, and how to check it.

import { visible } from "../../sentence/visible";
import { Button, LinkButton } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { ProblemBanner, Skeleton } from "../../ui/notice";
import { Time } from "../../ui/time";
import type { Export } from "./api";
import { ExportProgress, rangeOf } from "./exports";
import { t } from "./texts";

export function ExportDetails(props: { of: Export | undefined; problem: unknown; zone: string; onClose: () => void }) {
	const x = props.of;
	return (
		<Dialog
			title={t("exports.one")}
			onClose={props.onClose}
			foot={
				x?.state === "ready" && x.url ? (
					<LinkButton kind="primary" icon="download" href={x.url} download>
						{t("download")}
					</LinkButton>
				) : undefined
			}
		>
			{props.problem ? <ProblemBanner problem={props.problem} /> : null}
			{x ? <Facts of={x} zone={props.zone} /> : props.problem ? null : <Skeleton width="12rem" />}
		</Dialog>
	);
}

function Facts(props: { of: Export; zone: string }) {
	const x = props.of;
	const check = checkLine(x);
	return (
		<>
			<dl class="facts">
				<dt>{t("exports.what")}</dt>
				<dd class="mono">{visible(x.query) || t("exports.everything")}</dd>
				<dt>{t("exports.range")}</dt>
				<dd>{rangeOf(x, props.zone)}</dd>
				<dt>{t("exports.format")}</dt>
				<dd>
					{t(`exports.format.${x.format}`)}
					{x.compression === "none" ? "" : ` · ${x.compression}`}
				</dd>
				{x.columns ? (
					<>
						<dt>{t("exports.columns")}</dt>
						<dd class="mono">{x.columns.join(", ")}</dd>
					</>
				) : null}
				<dt>{t("exports.state")}</dt>
				<dd>
					<ExportProgress of={x} />
				</dd>
				<dt>{t("exports.by")}</dt>
				<dd class="mono">{x.by}</dd>
				<dt>{t("exports.at")}</dt>
				<dd>
					<Time at={x.created_at} zone={props.zone} relative />
				</dd>
				{x.state === "ready" && x.expires_at ? (
					<>
						<dt>{t("exports.kept")}</dt>
						<dd>
							<Time at={x.expires_at} zone={props.zone} />
						</dd>
					</>
				) : null}
				{x.sha256 ? (
					<>
						<dt>SHA-256</dt>
						<dd class="line">
							<span class="mono">{x.sha256}</span>
							<Button small kind="plain" icon="copy" label={t("copy")} onClick={() => void copy(x.sha256 ?? "")} />
						</dd>
					</>
				) : null}
			</dl>
			{x.warning ? <p class="danger">✗ {t("exports.warning", { what: visible(x.warning) })}</p> : null}
			<p class="muted">{leftOut(x)}</p>
			{x.state === "ready" && check ? (
				<div>
					<h3>{t("exports.check")}</h3>
					<div class="line">
						<code class="command">{check}</code>
						<Button small kind="plain" icon="copy" label={t("copy")} onClick={() => void copy(check)} />
					</div>
				</div>
			) : null}
		</>
	);
}

/** Says what the file leaves out, or that it leaves out nothing. */
export function leftOut(x: Export): string {
	const out: string[] = [];
	if (x.left_out.columns.length > 0) out.push(t("exports.out.columns", { columns: x.left_out.columns.join(", ") }));
	if (x.left_out.entries > 0) out.push(t("exports.out.entries", { n: x.left_out.entries }));
	if (x.left_out.erased_entries > 0) out.push(t("exports.out.erased", { n: x.left_out.erased_entries }));
	if (x.left_out.erased_fields > 0) out.push(t("exports.out.fields", { n: x.left_out.erased_fields }));
	if (x.left_out.mask && x.left_out.mask.length > 0) out.push(t("exports.out.mask", { paths: x.left_out.mask.join(", ") }));
	const pinned = t("exports.pinned", { n: x.size });
	return out.length > 0 ? `${pinned} ${t("exports.out", { list: out.join("; ") })}` : `${pinned} ${t("exports.out.none")}`;
}

/** The command that checks the downloaded file. */
function checkLine(x: Export): string {
	if (x.format === "bundle") return `daybook verify ${x.id}.daybook.gz --vkey KEY`;
	return x.sha256 ? `sha256sum ${x.id}*` : "";
}
