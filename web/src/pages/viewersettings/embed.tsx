// What a product puts into its page and its backend.

import { language } from "../../messages/messages";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Tabs } from "../../ui/tabs";
import { t } from "./texts";

const ways = ["element", "frame", "backend"] as const;
type Way = (typeof ways)[number];

function snippet(way: Way, server: string, org: string, theme: string, lang: string): string {
	switch (way) {
		case "element":
			return `<script type="module" src="${server}/viewer/v1.js"></script>\n<daybook-viewer server="${server}" token-url="/api/audit-token" theme="${theme}" lang="${lang}"></daybook-viewer>`;
		case "frame":
			return `<iframe id="activity" src="${server}/viewer?theme=${theme}&amp;lang=${lang}" title="Activity"></iframe>\n<script type="module">\n  const frame = document.getElementById("activity");\n  addEventListener("message", async (e) => {\n    if (e.origin !== "${server}") return;\n    if (e.data.type === "daybook:ready") {\n      const { token } = await (await fetch("/api/audit-token")).json();\n      frame.contentWindow.postMessage({ type: "daybook:token", token }, e.origin);\n    }\n    if (e.data.type === "daybook:height") frame.height = e.data.px;\n  });\n</script>`;
		case "backend":
			return `curl ${server}/v1/viewer-tokens \\\n  -H "Authorization: Bearer $DAYBOOK_API_KEY" -H 'Content-Type: application/json' \\\n  -d '{"org":"${org}","viewer":{"type":"user","id":"cus_9","name":"Lin Wu"},"features":["export","verify"],"origin":"https://app.example.com"}'`;
	}
}

export function Embed(props: { org: string }) {
	const url = useUrl();
	const way = ways.find((one) => one === url.get("way")) ?? "element";
	const text = snippet(way, window.location.origin, props.org, url.get("theme") || "auto", url.get("lang") || language.value);
	return (
		<section class="stack wide">
			<h2>{t("viewer.embed")}</h2>
			<Tabs
				label={t("viewer.embed")}
				value={way}
				tabs={ways.map((one): [Way, string] => [one, t(`viewer.way.${one}`)])}
				onChange={(one) => url.set({ way: one === "element" ? null : one })}
			>
				<div class="stack wide">
					<p class="muted measure">{t(`viewer.way.${way}.about`)}</p>
					<pre class="command">{text}</pre>
					<div>
						<Button small icon="copy" onClick={() => void copy(text)}>
							{t("copy")}
						</Button>
					</div>
				</div>
			</Tabs>
		</section>
	);
}
