// Runs the stories in Chromium against a server that was started for them, each in light and dark.
//
//   node run.mjs --url URL --key KEY --program FILE --tools FOLDER --shots FOLDER [--fast] [--only WORD] [--late MS] [--slow N]
//
// A story fails on what it expects, on an error in the console, on a report of the Content-Security-Policy, and on what axe finds at
// its end. Its last picture is kept in --shots. FOLDER of --tools has node_modules. --late holds every answer of the API up to so long, each
// as long as chance has it, and --slow makes the page N times slower: what depends on who is first, or on time, shows.
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { axeText, openBrowser, patience, signedIn } from "../browser.mjs";
import { quietly } from "./quiet.mjs";

const { values: o } = parseArgs({
	options: {
		url: { type: "string" },
		key: { type: "string" },
		program: { type: "string" },
		tools: { type: "string" },
		shots: { type: "string" },
		fast: { type: "boolean" },
		only: { type: "string" },
		late: { type: "string", default: "0" },
		slow: { type: "string", default: "1" },
	},
});
const [late, slow] = [Number(o.late), Number(o.slow)];
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

/** Asks the API as a program does: one that is told that the server has too much to do asks again. */
async function api(method, path, body, org = "org_acme") {
	const ask = async () => {
		const answer = await fetch(o.url + path, {
			method,
			headers: { Authorization: `Bearer ${o.key}`, "Daybook-Org": org, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
			...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
		});
		return { answer, text: await answer.text() };
	};
	let { answer, text } = await ask();
	for (let again = 0; answer.status === 503 && /"overloaded"/.test(text) && again < 60; again++) {
		await new Promise((done) => setTimeout(done, 1000));
		({ answer, text } = await ask());
	}
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
	context.setDefaultTimeout(patience);
	if (late > 0) {
		await context.route(/\/v1\/(?!events\/tail)/, async (route) => {
			await new Promise((done) => setTimeout(done, Math.random() * late));
			await route.continue().catch(() => undefined); // the page may be gone
		});
	}
	const page = await context.newPage();
	if (slow > 1) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: slow });
	const quiet = quietly(page);
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
		/** Waits for the rows of the search that the address names: those of the one before stay until then. */
		rows: async () => {
			await page.waitForFunction(
				() => document.querySelector(".event-row[data-row]") && !document.querySelector(".events-body[aria-busy=true], [role=grid][aria-busy=true]"),
			);
		},
		quiet,
		shot: (name) => page.screenshot({ path: file(name) }),
		fast: o.fast === true,
		axe: async (where = "") => faults.push(...(await findings(page)).map((f) => where + f)),
	};
	try {
		await story.run(kit);
		if (story.axe !== false) {
			await quiet(); // a finding about what is being changed is none
			await kit.axe();
		}
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
