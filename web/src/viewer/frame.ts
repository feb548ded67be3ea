// The page for frames: it asks the page around it for tokens, and tells it how high it is. Who may be around is in the page: the origins that
// organizations name, which are also its frame-ancestors.
import type { DaybookViewer } from "./element";

const allowed = (document.documentElement.dataset["origins"] ?? "").split(" ").filter((o) => o !== "");
const params = new URLSearchParams(location.search);
const viewer = document.querySelector("daybook-viewer") as DaybookViewer;

/** The newest token that the parent has given, until it is taken. */
let given: string | undefined;
let waiting: ((token: string) => void) | undefined;

function tell(message: { type: string; px?: number }): void {
	if (parent !== window) for (const origin of allowed) parent.postMessage(message, origin);
}

addEventListener("message", (e: MessageEvent<unknown>) => {
	if (e.source !== parent || !allowed.includes(e.origin)) return;
	const { type, token } = (e.data ?? {}) as { type?: unknown; token?: unknown };
	if (type !== "daybook:token" || typeof token !== "string") return;
	if (waiting) waiting(token);
	else given = token;
	waiting = undefined;
});

viewer.getToken = () =>
	new Promise((done, refuse) => {
		if (given !== undefined) {
			done(given);
			given = undefined;
			return;
		}
		const late = setTimeout(() => {
			waiting = undefined; // one that comes after all is kept for the next time
			refuse(new Error("the page around gave no token"));
		}, 60_000);
		waiting = (token) => {
			clearTimeout(late);
			done(token);
		};
		tell({ type: "daybook:ready" });
	});

for (const name of ["theme", "lang", "tz", "query", "target", "advanced"]) {
	const value = params.get(name);
	if (value !== null) viewer.setAttribute(name, value);
}
document.documentElement.lang = params.get("lang") ?? "en";
const sheet = new CSSStyleSheet();
sheet.replaceSync("html{color-scheme:light dark}body{margin:0}");
document.adoptedStyleSheets = [sheet];
new ResizeObserver(() => tell({ type: "daybook:height", px: Math.ceil(document.documentElement.scrollHeight) })).observe(viewer);
await import(new URL("./v1.js", import.meta.url).href);
