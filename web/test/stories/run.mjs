// Runs the stories in Chromium against a server that was started for them, each in light and dark.
//
//   node run.mjs --url URL --key KEY --program FILE --tools FOLDER --shots FOLDER [--fast] [--only WORD]
//
// A story fails on what it expects, on an error in the console, on a report of the Content-Security-Policy, and on what axe finds at
// its end. Its last picture is kept in --shots. FOLDER of --tools has node_modules.
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { axeText, openBrowser, signedIn } from "../browser.mjs";

const { values: o } = parseArgs({
	options: {
		url: { type: "string" },
		key: { type: "string" },
		program: { type: "string" },
		tools: { type: "string" },
		shots: { type: "string" },
		fast: { type: "boolean" },
		only: { type: "string" },
	},
});
const axe = axeText(o.tools);
const here = dirname(fileURLToPath(import.meta.url));
mkdirSync(o.shots, { recursive: true });

/** Fails the story. */
export function expect(condition, message) {
	if (!condition) throw new Error(message);
}

async function load() {
	const all = [];
	for (const file of readdirSync(here)
		.filter((f) => f.endsWith(".story.mjs"))
		.sort()) {
		const { default: stories } = await import(pathToFileURL(join(here, file)).href);
		const group = file.replace(".story.mjs", "");
		for (const story of stories) all.push({ ...story, name: `${group}/${story.name}` });
	}
	return all.filter((s) => (!o.only || s.name.includes(o.only)) && (!o.fast || s.fast !== false));
}

/** Asks the API as a program does. */
async function api(method, path, body, org = "org_acme") {
	const answer = await fetch(o.url + path, {
		method,
		headers: { Authorization: `Bearer ${o.key}`, "Daybook-Org": org, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
		...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
	});
	const text = await answer.text();
	expect(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
	return text ? JSON.parse(text) : undefined;
}

async function findings(page) {
	await page.evaluate(axe);
	const result = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
	return result.violations.map((v) => `axe ${v.id}: ${v.help}, ${v.nodes.length} times, first ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].failureSummary}`);
}

async function play(browser, state, story, theme) {
	const faults = [];
	const context = await browser.newContext({
		viewport: story.viewport ?? { width: 1440, height: 900 },
		colorScheme: theme,
		locale: "en-GB",
		timezoneId: "UTC",
		...(story.anonymous ? {} : { storageState: state }),
		...story.context,
	});
	await context.addInitScript(() => {
		document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
	});
	const page = await context.newPage();
	page.on("console", (m) => {
		const refused = /^(Failed to load resource|Access to fetch)/.test(m.text());
		const expected = refused && story.failures?.some((f) => m.location().url.includes(f) || m.text().includes(f));
		if (m.type() === "error" && !expected) faults.push(`console: ${m.text()} ${m.location().url}`);
	});
	page.on("pageerror", (e) => faults.push(`page: ${e.stack ?? e.message}`));
	page.on("dialog", (d) => {
		faults.push(`dialog: ${d.message()}`);
		void d.dismiss();
	});
	const file = (name) => join(o.shots, `${`${story.name}${name ? `-${name}` : ""}`.replaceAll("/", "-")}-${theme}.png`);
	const kit = {
		page,
		context,
		theme,
		url: o.url,
		key: o.key,
		program: o.program,
		api,
		expect,
		open: async (path) => {
			await page.goto(o.url + path);
			await page.waitForSelector(story.anonymous ? "form" : "main");
		},
		/** Waits for the rows of the list. */
		rows: () => page.waitForSelector(".event-row[data-row]"),
		shot: (name) => page.screenshot({ path: file(name) }),
		fast: o.fast === true,
		axe: async (where = "") => faults.push(...(await findings(page)).map((f) => where + f)),
	};
	try {
		page.setDefaultTimeout(15_000);
		await story.run(kit);
		if (story.axe !== false) await kit.axe();
	} catch (error) {
		faults.push(error.stack ?? String(error));
		for (const one of context.pages()) {
			const shown = await one.innerText("main", { timeout: 1000 }).catch(() => "no page");
			faults.push(`${one.url()} shows: ${shown.slice(0, 300).split("\n").join(" | ")}`);
		}
	}
	await page.screenshot({ path: file("") }).catch(() => undefined);
	await context.close();
	return faults;
}

const stories = await load();
const browser = await openBrowser(o.tools);
let failed = 0;
try {
	const state = await signedIn(browser, o.url, o.key); // one cookie for all: signing in is a story of its own
	// In the fast size the themes take turns; a story that is about looks has both at night.
	const themesOf = (s, i) => (s.themes ? s.themes : o.fast ? [i % 2 ? "dark" : "light"] : ["light", "dark"]);
	const jobs = stories.flatMap((s, i) => themesOf(s, i).map((theme) => ({ s, theme })));
	const work = async () => {
		for (let job = jobs.shift(); job; job = jobs.shift()) {
			const start = Date.now();
			const faults = await play(browser, state, job.s, job.theme);
			console.log(`${faults.length ? "FAIL" : "ok  "} ${job.s.name} ${job.theme} ${Date.now() - start} ms`);
			for (const fault of faults) console.log(`     ${fault.split("\n").join("\n     ")}`);
			if (faults.length) failed++;
		}
	};
	await Promise.all([work(), work()]);
} finally {
	await browser.close();
}
if (stories.length === 0) {
	console.log("FAIL no story of that name");
	failed++;
}
process.exit(failed ? 1 : 0);
