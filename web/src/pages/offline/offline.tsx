// The label above every page of a file that is shown without a server: what it is, what it leaves out, and whether it is proved.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Offline as File } from "../../api/types";
import { number } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { dayOf, fullTime, zoneOf } from "../../ui/time";
import { t } from "./texts";

const marks = { proved: "●", unverified: "◌", false: "✗" };

/** Whether something of the log was left out of the file. */
const partly = (f: File) => f.filtered || f.mask.length > 0 || f.from > 0 || f.to < f.size;

export default function Offline(props: { of: File }) {
	const f = props.of;
	const zone = zoneOf(useUrl().get("tz"));
	const [open, setOpen] = useState(false);
	return (
		<section class={`offline ${f.verdict}`} aria-label={t("offline")}>
			<div class="offline-line">
				<strong class="offline-mark">{t("offline")}</strong>
				<span class="cut" title={visible(f.file)}>
					{visible(f.file)}
				</span>
				{f.first_at && f.last_at ? (
					<span class="tabular">
						{dayOf(f.first_at, zone)} – {dayOf(f.last_at, zone)}
					</span>
				) : null}
				<span class="tabular">{t("offline.entries", { n: f.shown })}</span>
				<span class="offline-verdict">
					<span aria-hidden="true">{marks[f.verdict]} </span>
					{t(`offline.${f.verdict}`)}
				</span>
				{partly(f) ? <span>{t("offline.part")}</span> : null}
				<span class="spacer" />
				<Button small expanded={open} onClick={() => setOpen(!open)}>
					{t("offline.details")}
				</Button>
			</div>
			{f.verdict === "proved" ? null : <Findings of={f} most={open ? f.findings.length : 1} />}
			{open ? <Details of={f} zone={zone} /> : null}
		</section>
	);
}

/** Why the file is not proved. */
function Findings(props: { of: File; most: number }) {
	const f = props.of;
	const more = f.more + f.findings.length - props.most;
	return (
		<ul class="offline-findings" aria-label={t("offline.found")}>
			{f.findings.slice(0, props.most).map((one) => (
				<li key={`${one.code} ${one.line} ${one.seq}`}>
					<code>{one.code}</code> {visible(one.message)}
				</li>
			))}
			{more > 0 ? <li>{t("offline.more", { n: more })}</li> : null}
		</ul>
	);
}

function Details(props: { of: File; zone: string }) {
	const f = props.of;
	const left = [
		f.filtered && f.filter ? t("offline.left.filter", { query: visible(f.filter) }) : "",
		f.filtered ? t("offline.left.hashed", { n: f.hashed }) : "",
		f.mask.length > 0 ? t("offline.left.mask", { mask: f.mask.map(visible).join(", ") }) : "",
		f.filtered ? t("offline.left.unproved") : "",
	].filter(Boolean);
	const gone = [
		f.removed > 0 ? t("offline.gone.removed", { n: f.removed }) : "",
		f.withheld > 0 ? t("offline.gone.fields", { n: f.withheld }) : "",
		...f.notes.map(visible),
	].filter(Boolean);
	const covers =
		f.from === 0 && f.to === f.size
			? t("offline.covers.all", { n: f.size })
			: t("offline.covers.n", { from: number(f.from), to: number(f.to - 1), size: number(f.size) });
	return (
		<div class="offline-details">
			<p>{t("offline.about")}</p>
			<dl>
				<Row name={t("offline.log")} mono>
					{visible(f.origin)}
				</Row>
				<Row name={t("offline.key")} mono>
					{visible(f.key)}
				</Row>
				<Row name={t("offline.checkpoint")}>
					{t("offline.checkpoint.n", { n: f.size })}
					{f.signed_at ? ` · ${t("offline.signed", { at: fullTime(f.signed_at, props.zone) })}` : ""}
				</Row>
				<Row name={t("offline.covers")}>{covers}</Row>
				{left.length > 0 ? <Row name={t("offline.left")}>{left.join(" · ")}</Row> : null}
				{gone.length > 0 ? <Row name={t("offline.gone")}>{gone.join(" · ")}</Row> : null}
			</dl>
		</div>
	);
}

function Row(props: { name: string; mono?: boolean; children: ComponentChildren }) {
	return (
		<div>
			<dt>{props.name}</dt>
			<dd class={props.mono ? "mono" : undefined}>{props.children}</dd>
		</div>
	);
}
