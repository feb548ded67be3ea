// The API keys of an organization, and those for all of them.
import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { ask } from "../../api/client";
import type { Key } from "../../api/types";
import { visible } from "../../sentence/visible";
import { against, useChange, useLoad } from "../../state/load";
import { can, whoami } from "../../state/session";
import { useUrl } from "../../state/url";
import { ActDialog } from "../../ui/act";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Check, Field, Select } from "../../ui/field";
import { Empty, ProblemBanner, toast } from "../../ui/notice";
import { ago, dayOf, zoneOf } from "../../ui/time";
import { t } from "./texts";

const scopes = ["record", "read", "export", "manage", "viewer", "operate"] as const;

const listKeys = async (org: string, signal: AbortSignal): Promise<Key[]> => {
	const all: Key[] = [];
	let cursor: string | undefined;
	do {
		const page: { keys: Key[]; next_cursor: string | null } = await ask("/v1/keys", { org, params: { limit: 1000, cursor }, signal });
		all.push(...page.keys);
		cursor = page.next_cursor ?? undefined;
	} while (cursor);
	return all.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
};

/** Whether a key opens nothing any more. */
const over = (k: Key) => k.revoked_at !== null || (k.expires_at !== null && new Date(k.expires_at).getTime() <= Date.now());

export default function Keys() {
	const { org = "" } = useRoute().params;
	const url = useUrl();
	const zone = zoneOf(url.get("tz"));
	const all = url.get("all") === "1";
	const list = useLoad((signal) => listKeys(org, signal), [org]);
	const [revoke, setRevoke] = useState<Key | null>(null);
	useEffect(() => {
		document.title = `${t("keys")} · Daybook`;
	}, []);
	const shown = list.data?.filter((k) => all || !over(k)) ?? [];
	const gone = (list.data?.length ?? 0) - (list.data?.filter((k) => !over(k)).length ?? 0);
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("keys")}</h1>
				<span class="spacer" />
				{gone > 0 ? (
					<Check checked={all} onChange={(on) => url.set({ all: on ? "1" : null })}>
						{t("keys.over", { n: gone })}
					</Check>
				) : null}
				<Button kind="primary" icon="plus" onClick={() => url.set({ new: "1" }, true)}>
					{t("keys.new")}
				</Button>
			</div>
			{list.problem ? <ProblemBanner problem={list.problem} onRetry={list.again} /> : null}
			<div class="page-body">
				{list.data && shown.length === 0 ? (
					<Empty title={t("keys.none")}>
						<p>{t("keys.none.about")}</p>
					</Empty>
				) : null}
				{shown.length > 0 ? (
					<div class="scroll-x">
						<table class="table cards" aria-label={t("keys")}>
							<thead>
								<tr>
									{(["name", "scopes", "reach", "made", "used", "ends"] as const).map((name) => (
										<th scope="col" key={name}>
											{t(`keys.${name}`)}
										</th>
									))}
									<th scope="col">
										<span class="hidden-text">{t("actions")}</span>
									</th>
								</tr>
							</thead>
							<tbody>
								{shown.map((k) => (
									<KeyRow key={k.id} of={k} zone={zone} onRevoke={() => setRevoke(k)} />
								))}
							</tbody>
						</table>
					</div>
				) : null}
			</div>
			{url.get("new") ? <NewKey org={org} onClose={() => url.set({ new: null })} onMade={list.again} /> : null}
			{revoke ? (
				<Revoke
					of={revoke}
					onClose={() => setRevoke(null)}
					onDone={() => {
						setRevoke(null);
						toast(t("keys.revoked", { name: visible(revoke.name) }));
						list.again();
					}}
				/>
			) : null}
		</div>
	);
}

function KeyRow(props: { of: Key; zone: string; onRevoke: () => void }) {
	const k = props.of;
	const mine = whoami.value?.id === k.id;
	return (
		<tr class={over(k) ? "muted" : ""}>
			<td>
				{visible(k.name) || t("keys.nameless")} {mine ? <span class="badge">{t("keys.mine")}</span> : null}
				<div class="mono muted">{k.id}</div>
			</td>
			<td data-label={t("keys.scopes")}>{k.scopes.join(", ")}</td>
			<td data-label={t("keys.reach")}>{k.org === null ? t("keys.all") : <span class="mono">{k.org}</span>}</td>
			<td class="nowrap" data-label={t("keys.made")}>
				{dayOf(k.created_at, props.zone)}
			</td>
			<td class="nowrap" data-label={t("keys.used")}>
				{k.last_used_at ? ago(k.last_used_at) : t("keys.never")}
			</td>
			<td class="nowrap" data-label={t("keys.ends")}>
				{k.revoked_at ? t("keys.revoked.at", { day: dayOf(k.revoked_at, props.zone) }) : k.expires_at ? dayOf(k.expires_at, props.zone) : t("keys.endless")}
			</td>
			<td>
				<div class="line end">
					{over(k) ? null : (
						<Button small kind="danger" onClick={props.onRevoke} label={t("keys.revoke.one", { name: visible(k.name) || k.id })}>
							{t("keys.revoke")}
						</Button>
					)}
				</div>
			</td>
		</tr>
	);
}

function Revoke(props: { of: Key; onClose: () => void; onDone: () => void }) {
	const change = useChange();
	const k = props.of;
	return (
		<ActDialog
			title={t("keys.revoke.title", { name: visible(k.name) || k.id })}
			act={t("keys.revoke")}
			kind="danger"
			change={change}
			onClose={props.onClose}
			onAct={() =>
				change.run(async () => {
					await ask(`/v1/keys/${encodeURIComponent(k.id)}`, { method: "DELETE" });
					props.onDone();
				})
			}
		>
			<p>{t(whoami.value?.id === k.id ? "keys.revoke.mine" : "keys.revoke.about")}</p>
		</ActDialog>
	);
}

const lives: [string, number][] = [
	["", 0],
	["30", 30],
	["90", 90],
	["365", 365],
];

/** Makes a key, and shows it once. */
function NewKey(props: { org: string; onClose: () => void; onMade: () => void }) {
	const [name, setName] = useState("");
	const [chosen, setChosen] = useState<string[]>(["record"]);
	const [everywhere, setEverywhere] = useState(false);
	const [days, setDays] = useState("");
	const [secret, setSecret] = useState("");
	const change = useChange();
	if (secret) return <Made secret={secret} org={props.org} everywhere={everywhere} records={chosen.includes("record")} onClose={props.onClose} />;
	const at = (field: string) => against(change.problem, field);
	const make = () =>
		change.run(async () => {
			const ends = lives.find(([id]) => id === days)?.[1] ?? 0;
			const made = await ask<Key & { key: string }>("/v1/keys", {
				body: {
					name,
					org: everywhere ? null : props.org,
					scopes: chosen,
					...(ends ? { expires_at: new Date(Date.now() + ends * 86_400_000).toISOString() } : {}),
				},
			});
			setSecret(made.key);
			props.onMade();
		});
	return (
		<ActDialog
			title={t("keys.new")}
			act={t("keys.make")}
			ready={chosen.length > 0}
			change={change}
			fields={["name", "scopes"]}
			onClose={props.onClose}
			onAct={make}
		>
			<Field label={t("keys.name")} value={name} onInput={setName} error={at("name")} note={t("keys.name.note")} attributes={{ maxLength: 512 }} />
			<fieldset class="choices">
				<legend class="field-label">{t("keys.scopes")}</legend>
				{scopes
					.filter((scope) => can(scope) || can("operate"))
					.map((scope) => (
						<label class="choice" key={scope}>
							<input
								type="checkbox"
								checked={chosen.includes(scope)}
								onChange={(event) => setChosen(event.currentTarget.checked ? [...chosen, scope] : chosen.filter((one) => one !== scope))}
							/>
							<span>
								{scope} <span class="muted small">{t(`keys.scope.${scope}`)}</span>
							</span>
						</label>
					))}
				{at("scopes") ? <p class="field-error">{at("scopes")}</p> : null}
			</fieldset>
			<Select
				label={t("keys.ends")}
				value={days}
				onChange={setDays}
				options={lives.map(([id, n]): [string, string] => [id, n ? t("keys.days", { n }) : t("keys.endless")])}
			/>
			{whoami.value?.org === null && can("operate") ? (
				<Check checked={everywhere} onChange={setEverywhere}>
					{t("keys.everywhere")}
				</Check>
			) : null}
		</ActDialog>
	);
}

function Made(props: { secret: string; org: string; everywhere: boolean; records: boolean; onClose: () => void }) {
	const org = props.everywhere ? ` \\\n  -H 'Daybook-Org: ${props.org}'` : "";
	const body = `{"action":"invoice.sent","actor":{"type":"user","id":"usr_1"},"targets":[{"type":"invoice","id":"42"}]}`;
	const line = props.records
		? `curl ${window.location.origin}/v1/events \\\n  -H 'Authorization: Bearer ${props.secret}'${org} \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`
		: `curl ${window.location.origin}/v1/whoami \\\n  -H 'Authorization: Bearer ${props.secret}'`;
	return (
		<Dialog
			title={t("keys.made")}
			foot={
				<Button kind="primary" onClick={props.onClose}>
					{t("keys.kept")}
				</Button>
			}
		>
			<p>{t("keys.once")}</p>
			<div class="line">
				<code class="command">{props.secret}</code>
				<Button icon="copy" onClick={() => void copy(props.secret)}>
					{t("copy")}
				</Button>
			</div>
			<h3>{t("keys.try")}</h3>
			<pre class="command">{line}</pre>
			<Button small icon="copy" onClick={() => void copy(line)}>
				{t("copy")}
			</Button>
		</Dialog>
	);
}
