// The console on a file: daybook ui --bundle.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Takes a bundle from the server, opens it with the program, and runs what is told with the link in the browser. */
async function shown({ url, key, program, page, api, expect, axe, quiet }, { params = "", edit, flags = [] }, told) {
	const dir = mkdtempSync(join(tmpdir(), "daybook-offline-"));
	const log = "/v1/organizations/org_initech/log";
	const answer = await fetch(`${url}${log}/bundle${params}`, { headers: { Authorization: `Bearer ${key}` } });
	const text = await answer.text();
	expect(answer.ok, `the bundle: ${answer.status} ${text.slice(0, 300)}`);
	const file = join(dir, "initech-2026.daybook");
	writeFileSync(file, edit ? edit(text) : text);
	const vkey = (await api("GET", `${log}/info`, undefined, "org_initech")).keys.at(-1).vkey;
	const child = spawn(program, ["ui", "--bundle", file, "--vkey", vkey, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
	const ended = new Promise((resolve) => child.once("exit", resolve));
	try {
		let link = "";
		for await (const line of createInterface({ input: child.stdout })) {
			link = /http:\S+code=\S+/.exec(line)?.[0] ?? link;
			if (line.startsWith("Stop with")) break;
		}
		expect(link, "the program printed no link");
		await page.goto(link);
		await page.waitForSelector(".event-row[data-row]");
		await told(new URL(link).origin, new URL(page.url()).pathname.split("/")[2]);
		await quiet();
		await axe(); // while the program still answers
	} finally {
		child.kill("SIGINT");
		await ended;
		rmSync(dir, { recursive: true });
	}
}

/** The label and whatever else the shell has says that nothing can be changed. */
async function still({ page, expect }) {
	const label = await page.innerText(".offline");
	expect(/OFFLINE/i.test(label) && label.includes("initech-2026.daybook"), `the label: ${label}`);
	const nav = await page.innerText(".rail");
	expect(/Events/.test(nav) && /Integrity/.test(nav) && !/Exports|Saved|Retention|API keys|Instance/.test(nav), `the rail: ${nav}`);
	expect(
		(await page.locator(".page-head button:has-text('Live'), .page-head button:has-text('Save'), .page-head button:has-text('Export')").count()) === 0,
		"something can be kept",
	);
}

export default [
	{
		name: "whole",
		anonymous: true,
		axe: false,
		failures: ["/v1/whoami"],
		async run(kit) {
			const { page, expect, shot } = kit;
			await shown(kit, {}, async (origin, org) => {
				await still(kit);
				expect(page.url().includes("range=all"), `a file is shown whole: ${page.url()}`);
				await shot("events");
				await page.click(".offline button");
				await page.waitForSelector(".offline-details");
				await shot("details");
				await page.click(".offline button");
				await page.click(".event-row[data-row]");
				await page.click("[role=tab]:has-text('Proof')");
				await page.waitForSelector(".proof-say.verified");
				await shot("proof");
				await page.goto(`${origin}/o/${org}/integrity`);
				await page.click(".integrity-check .button.primary");
				await page.waitForSelector(".integrity-outcome .proof-say.verified");
				expect(/unaltered and complete/.test(await page.innerText(".integrity-outcome")), "the outcome is not told");
				expect(/daybook verify 'initech-2026\.daybook' --vkey/.test(await page.innerText(".integrity-body")), "the command is not that of a file");
				await shot("integrity");
			});
		},
	},
	{
		name: "part",
		anonymous: true,
		axe: false,
		failures: ["/v1/whoami"],
		viewport: { width: 390, height: 844 },
		async run(kit) {
			const { page, expect, shot } = kit;
			await shown(kit, { params: "?q=outcome:failure,denied&mask=/actor/email,/context" }, async (origin, org) => {
				await shot("events");
				await page.click(".offline button");
				const details = await page.innerText(".offline-details");
				expect(
					/outcome:failure,denied/.test(details) && /\/actor\/email, \/context/.test(details) && /only the hash/.test(details),
					`what is left out: ${details}`,
				);
				await shot("details");
				await page.click(".offline button");
				await page.goto(`${origin}/o/${org}/integrity`);
				await page.click(".integrity-check .button.primary");
				await page.waitForSelector(".integrity-outcome .proof-say.verified");
				expect(/what it leaves out is not proved/.test(await page.innerText(".integrity-outcome")), "more is said than is proved");
				await page.goto(`${origin}/o/${org}/timelines`);
				await page.waitForSelector(".parties a");
			});
		},
	},
	{
		name: "false",
		anonymous: true,
		axe: false,
		failures: ["/v1/whoami"],
		async run(kit) {
			const { page, expect, shot } = kit;
			const edit = (text) => text.replace(/("t":"entry","seq":7,.*?"action":")[^"]+/, "$1user.nobody");
			await shown(kit, { edit, flags: ["--unverified"] }, async (origin, org) => {
				await page.waitForSelector(".offline.false");
				const label = await page.innerText(".offline");
				expect(/leaf_mismatch/.test(label) && /entry 7\b/.test(label), `the label does not say what is wrong: ${label}`);
				await shot("events");
				await page.goto(`${origin}/o/${org}/integrity`);
				await page.click(".integrity-check .button.primary");
				await page.waitForSelector(".integrity-outcome .proof-say.failed");
				await page.goto(`${origin}/o/${org}/events?range=all`);
				await page.waitForSelector(".event-row .proof-mark.failed");
			});
		},
	},
];
