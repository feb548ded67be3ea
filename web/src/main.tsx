import "./theme/index.css";
import { render } from "preact";
import { App } from "./app";
import { speakChosen } from "./state/prefs";

const root = document.getElementById("app");
if (root) {
	void speakChosen().then(() => render(<App />, root)); // in the right language from the first paint on
}
