// The page that tries the viewer with a token that somebody pastes.
import type { DaybookViewer } from "./element";

const sheet = new CSSStyleSheet();
sheet.replaceSync(
	"html{color-scheme:light dark;font:.875rem/1.43 system-ui,sans-serif;background:light-dark(#fbfbfa,#111210);color:light-dark(#1b1b18,#ecece6)}body{margin:0}main{max-width:60rem;margin:auto;padding:1rem}h1{font-size:1rem}input,select,button{font:inherit;min-height:2rem}input{width:24rem;max-width:100%}daybook-viewer{border:1px solid light-dark(#e2e2de,#2e302b)}",
);
document.adoptedStyleSheets = [sheet];
const viewer = document.querySelector("daybook-viewer") as DaybookViewer;
const form = document.querySelector("form") as HTMLFormElement;
const value = (name: string): string => String(new FormData(form).get(name) ?? "");

form.addEventListener("submit", (e) => {
	e.preventDefault();
	const token = value("token").trim();
	if (token === "") return;
	viewer.getToken = () => Promise.resolve(token);
	viewer.setAttribute("theme", value("theme"));
	viewer.setAttribute("lang", value("lang"));
	viewer.hidden = false;
	if (!customElements.get("daybook-viewer")) void import(new URL("./v1.js", import.meta.url).href);
	else viewer.setAttribute("server", location.origin);
});
