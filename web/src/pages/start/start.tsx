// The first five minutes: a call to copy, and the row that appears when it was made.
import { useEffect } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { api } from "../../api/client";
import type { Entry } from "../../api/types";
import { useLoad } from "../../state/load";
import { loadSentences } from "../../state/sentences";
import { can } from "../../state/session";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { ProblemBanner } from "../../ui/notice";
import { ProofMark, useLog } from "../../ui/proof";
import { Tabs } from "../../ui/tabs";
import { shortTime, zoneOf } from "../../ui/time";
import { read, when } from "../events/reading";
import { t } from "./texts";

const ways = ["curl", "go", "node", "python", "cli"] as const;
type Way = (typeof ways)[number];

const names: Record<Way, string> = { curl: "curl", go: "Go", node: "Node", python: "Python", cli: "CLI" };

/** A call that records an event, ready to run once the key is in place. */
function snippet(way: Way, server: string, org: string): string {
	const event = `{"action":"invoice.sent","actor":{"type":"user","id":"usr_1","name":"Ada Byron"},"targets":[{"type":"invoice","id":"42","name":"Invoice 42"}]}`;
	switch (way) {
		case "curl":
			return `curl ${server}/v1/events \\\n  -H 'Authorization: Bearer KEY' -H 'Daybook-Org: ${org}' \\\n  -H 'Content-Type: application/json' \\\n  -d '${event}'`;
		case "go":
			return `c, err := client.New(client.Options{URL: "${server}", Key: "KEY", Org: "${org}"})\nif err != nil {\n\treturn err\n}\nreceipt, err := c.Record(ctx, daybook.Event{\n\tAction:  "invoice.sent",\n\tActor:   daybook.Actor{Type: "user", ID: "usr_1", Name: "Ada Byron"},\n\tTargets: []daybook.Target{{Type: "invoice", ID: "42", Name: "Invoice 42"}},\n})`;
		case "node":
			return `await fetch("${server}/v1/events", {\n  method: "POST",\n  headers: { "Authorization": "Bearer KEY", "Daybook-Org": "${org}", "Content-Type": "application/json" },\n  body: JSON.stringify(${event}),\n});`;
		case "python":
			return `import json, urllib.request\nurllib.request.urlopen(urllib.request.Request("${server}/v1/events", method="POST",\n    headers={"Authorization": "Bearer KEY", "Daybook-Org": "${org}", "Content-Type": "application/json"},\n    data=json.dumps(${event}).encode()))`;
		case "cli":
			return `export DAYBOOK_SERVER=${server} DAYBOOK_API_KEY=KEY DAYBOOK_ORG=${org}\ndaybook record invoice.sent --actor 'user:usr_1=Ada Byron' --target 'invoice:42=Invoice 42'`;
	}
}

export default function Start() {
	const { org = "" } = useRoute().params;
	const url = useUrl();
	const zone = zoneOf(url.get("tz"));
	const way = ways.find((one) => one === url.get("way")) ?? "curl";
	const found = useLoad(
		async (signal): Promise<Entry | null> => (await api.events(org, { q: "-action:daybook.*", limit: 1 }, signal)).entries[0] ?? null,
		[org],
		{ every: (data) => (data ? 0 : 2000) },
	);
	useLoad((signal) => loadSentences(org, signal), [org]);
	useLog(org);
	useEffect(() => {
		document.title = `${t("start")} · Daybook`;
	}, []);
	const text = snippet(way, window.location.origin, org);
	const base = `/o/${encodeURIComponent(org)}`;
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("start")}</h1>
			</div>
			{found.problem ? <ProblemBanner problem={found.problem} onRetry={found.again} /> : null}
			<div class="page-body start">
				<p class="muted">{t("start.about")}</p>
				<section class="stack wide">
					<h2>{t("start.copy")}</h2>
					<p>
						{t("start.key")} {can("manage") ? <a href={`${base}/settings/keys?new=1`}>{t("start.key.make")}</a> : null}
					</p>
					<Tabs label={t("start.copy")} value={way} tabs={ways.map((one): [Way, string] => [one, names[one]])} onChange={(one) => url.set({ way: one })}>
						<pre class="command">{text}</pre>
						<Button small icon="copy" onClick={() => void copy(text)}>
							{t("copy")}
						</Button>
					</Tabs>
				</section>
				<section class="stack wide" aria-live="polite">
					<h2>{t(found.data ? "start.here" : "start.wait")}</h2>
					{found.data ? (
						<div class="start-row line">
							<time class="mono muted" dateTime={when(found.data)}>
								{shortTime(when(found.data), zone)}
							</time>
							<bdi>{read(found.data).whole}</bdi>
							<ProofMark entry={found.data} />
						</div>
					) : null}
				</section>
				{found.data ? (
					<section class="stack">
						<h2>{t("start.next")}</h2>
						<a href={`${base}/events?range=all&sel=${found.data.id}&tab=proof`}>{t("start.see")}</a>
						{can("manage") ? <a href={`${base}/settings/keys?new=1`}>{t("start.keys")}</a> : null}
						{can("manage") ? <a href={`${base}/settings/retention`}>{t("start.keep")}</a> : null}
						<a href="/docs/api" target="_blank" rel="noreferrer">
							{t("start.docs")}
						</a>
					</section>
				) : null}
			</div>
		</div>
	);
}
