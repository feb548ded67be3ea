// Chromium as the stories and the measurements use it. tools is a folder that has node_modules (`go run -C tools ./webbuild -tools`).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const flags = [
	"--headless",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
];

const needs = (tools) => createRequire(pathToFileURL(join(tools, "package.json")));

/** How long anything is waited for, in milliseconds: on a machine that does much else what takes a second takes a minute. */
export const patience = 180_000;

/** Starts a browser. */
export function openBrowser(tools) {
	return needs(tools)("playwright-core").chromium.launch({ executablePath: "/usr/bin/chromium", args: flags, timeout: patience });
}

/** The text of axe, to be run in a page. */
export function axeText(tools) {
	return readFileSync(needs(tools).resolve("axe-core/axe.min.js"), "utf8");
}

/** The cookie of a session that a key opens, for new contexts. */
export async function signedIn(browser, url, key) {
	const context = await browser.newContext();
	const answer = await context.request.post(`${url}/v1/session`, { data: { api_key: key }, headers: { Origin: url }, timeout: patience });
	if (answer.status() !== 204) throw new Error(`sign in: ${answer.status()} ${await answer.text()}`);
	const state = await context.storageState();
	await context.close();
	return state;
}
