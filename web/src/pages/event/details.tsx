// Everything else that an event says, each value with its menu.
import type { ComponentChildren } from "preact";
import { compact, isObject, type Json, Num } from "../../api/json";
import type { Actor, Entry } from "../../api/types";
import { writeMeta, writeMetaValue, writeTarget, writeValue } from "../../query/terms";
import { visible } from "../../sentence/visible";
import { nameOf } from "./names";
import { t } from "./texts";
import { Value, type ValueActions } from "./value";

type Props = ValueActions & { org: string; entry: Entry };

export function Details(props: Props) {
	const e = props.entry;
	const actions: ValueActions = { query: props.query, onQuery: props.onQuery, ...(props.onColumn ? { onColumn: props.onColumn } : {}) };
	const one = (field: string, text: string, children?: ComponentChildren) => (
		<Value {...actions} field={field} written={writeValue(text)} text={text} children={children} />
	);
	const http = isObject(e.context?.["http"]) ? e.context["http"] : {};
	const plain: [label: string, field: string, value: Json | undefined][] = [
		[t("detail.from"), "ip", e.context?.ip],
		[t("detail.user-agent"), "user_agent", e.context?.user_agent],
		[t("detail.reason"), "reason", e.reason],
		[t("detail.error"), "error.code", e.error?.code],
		[t("detail.error-message"), "error.message", e.error?.message],
		[t("detail.request"), "request_id", e.context?.["request_id"]],
		[t("detail.trace"), "trace_id", e.context?.["trace_id"]],
		[t("detail.session"), "session_id", e.context?.["session_id"]],
		[t("detail.correlation"), "correlation_id", e.correlation_id],
		[t("detail.method"), "http.method", http["method"]],
		[t("detail.route"), "http.route", http["route"]],
		[t("detail.path"), "http.path", http["path"]],
		[t("detail.status"), "http.status_code", http["status_code"]],
	];
	return (
		<dl class="facts">
			{e.action ? (
				<>
					<dt>{t("detail.action")}</dt>
					<dd>{one("action", e.action)}</dd>
				</>
			) : (
				<Act entry={e} />
			)}
			{e.actor ? (
				<>
					<dt>{t("detail.actor")}</dt>
					<dd>
						<Person {...actions} org={props.org} actor={e.actor} field="actor.id" />
						{e.actor.via?.map((v) => (
							<div key={`${v.type} ${v.id}`} class="via">
								{t("detail.via")} <Person {...actions} org={props.org} actor={v} field="via" />
							</div>
						))}
					</dd>
				</>
			) : null}
			{e.targets?.length ? (
				<>
					<dt>{t("detail.targets", { n: e.targets.length })}</dt>
					<dd>
						{e.targets.map((target) => (
							<div key={`${target.type} ${target.id}`}>
								<Value {...actions} field="target" written={writeTarget(target.type, target.id)} text={`${target.type}:${target.id}`}>
									<a href={`/o/${encodeURIComponent(props.org)}/targets/${encodeURIComponent(target.type)}/${encodeURIComponent(target.id)}`}>
										{visible(target.name || `${target.type} ${target.id}`)}
									</a>
									{target.name ? <span class="muted mono"> {visible(`${target.type}:${target.id}`)}</span> : null}
								</Value>
							</div>
						))}
					</dd>
				</>
			) : null}
			{e.action ? (
				<>
					<dt>{t("detail.outcome")}</dt>
					<dd>{one("outcome", e.outcome ?? "success")}</dd>
				</>
			) : null}
			{plain.map(([label, field, value]) =>
				value === undefined || value === null || value === "" ? null : (
					<>
						<dt>{label}</dt>
						<dd>{one(field, textOf(value))}</dd>
					</>
				),
			)}
			{Object.entries(e.metadata ?? {}).map(([name, value]) => (
				<>
					<dt class="mono">
						<bdi>{visible(name)}</bdi>
					</dt>
					<dd>
						{isObject(value) || Array.isArray(value) ? (
							<code>{visible(compact(value))}</code>
						) : (
							<Value {...actions} field={writeMeta(name.replace(/\./g, "\\."))} written={writeMetaValue(textOf(value))} text={textOf(value)} />
						)}
					</dd>
				</>
			))}
		</dl>
	);
}

/** Members of every entry, which stand in its head. */
const common = new Set(["org", "seq", "id", "received_at", "occurred_at", "leaf_hash", "erased_fields", "hidden_fields", "held", "removed", "reason"]);

/** What an act of the log says, as it was recorded. */
function Act(props: { entry: Entry }) {
	return (
		<>
			{Object.entries(props.entry)
				.filter(([name]) => !common.has(name))
				.map(([name, value]) => (
					<>
						<dt class="mono">
							<bdi>{visible(name)}</bdi>
						</dt>
						<dd>
							<code>{visible(textOf(value as Json))}</code>
						</dd>
					</>
				))}
		</>
	);
}

function Person(props: ValueActions & { org: string; actor: Actor; field: string }) {
	const a = props.actor;
	return (
		<Value {...props} written={writeValue(a.id)} text={a.id}>
			<a href={`/o/${encodeURIComponent(props.org)}/actors/${encodeURIComponent(a.type)}/${encodeURIComponent(a.id)}`}>{nameOf(a)}</a>
			<span class="muted mono"> {visible(`${a.type}:${a.id}`)}</span>
			{a.email && a.email !== nameOf(a) ? <span class="muted"> {visible(a.email)}</span> : null}
		</Value>
	);
}

function textOf(value: Json): string {
	if (value instanceof Num) return value.text;
	return typeof value === "string" ? value : compact(value);
}
