// What people see when somebody has changed the store by hand: each story has a server of its own, and changes bytes of its file.
import { blocks, flipAll, rootOf, tampered } from "./store.mjs";

const org = "org_initech";

/** Signs the page in at a server. */
async function enter(page, server) {
	const answer = await page.context().request.post(`${server.url}/v1/session`, { data: { api_key: server.key }, headers: { Origin: server.url } });
	if (answer.status() !== 204) throw new Error(`sign in: ${answer.status()}`);
}

async function go(page, server, path) {
	await page.goto(`${server.url}/o/${org}${path}`);
	await page.waitForSelector("main");
}

/** Has the Integrity page verify everything. */
async function verify(page, server) {
	await go(page, server, "/integrity");
	await page.click(".integrity-check .button.primary");
	await page.waitForSelector(".integrity-outcome .proof-say");
}

/** What the banner says. */
async function banner(page) {
	await page.waitForSelector(".failure-banner");
	return page.innerText(".failure-banner");
}

const failures = ["/v1/", "/log/"];

export default [
	{
		name: "untouched",
		async run({ page, program, expect, shot }) {
			await tampered(
				program,
				org,
				() => {},
				async (server) => {
					await enter(page, server);
					await go(page, server, "/events?range=all&all=1");
					await page.waitForSelector(".event-row[data-row]");
					await verify(page, server);
					await page.waitForSelector(".integrity-outcome .proof-say.verified");
					await page.waitForSelector("#integrity-checkpoints");
					// Any checkpoint can be held against the newest.
					await page.locator("section:has(#integrity-checkpoints) tbody tr").last().locator("button").click();
					await page.waitForSelector("tbody tr:last-child .proof-mark.verified");
					await shot("checkpoints");
					await go(page, server, "/events?range=all&all=1");
					await page.waitForSelector(".event-row[data-row]");
					expect((await page.locator(".failure-banner, .proof-mark.failed, .event-gap").count()) === 0, "an untouched store is red");
				},
			);
		},
	},
	{
		name: "block",
		failures,
		async run({ page, program, expect, shot, axe, context }) {
			await tampered(
				program,
				org,
				(file, { info }) => {
					const bad = blocks(file, info.origin)[6];
					file[bad.at + 100] ^= 1;
					return bad;
				},
				async (server, bad) => {
					await enter(page, server);
					await go(page, server, `/events?range=all&all=1&q=seq:${bad.first - 5}..${bad.first + bad.n + 5}`);
					await page.waitForSelector(".event-row[data-row]");
					const text = await banner(page);
					expect(text.includes(`entry ${bad.first.toLocaleString("en-GB")}`) && /block_damaged/.test(text), `the banner: ${text}`);
					const gap = await page.innerText(".event-gap");
					expect(gap.includes(`entries ${bad.first} to ${bad.first + bad.n - 1}`), `the gap: ${gap}`);
					await page.waitForSelector(".event-row[data-row='0'] .proof-mark.failed");
					const marks = await page.$$eval(".event-row[data-row] .proof-mark", (all) => all.map((m) => m.classList.contains("failed")));
					expect(marks.filter(Boolean).length === 6 && marks.filter((m) => !m).length === 5, `the marks: ${marks}`);
					await shot("events");
					await axe();
					// The page that verifies says so too, and does not call it out of reach.
					await verify(page, server);
					expect((await page.locator(".integrity-outcome .proof-say.failed").count()) === 1, "a damaged store is not red");
					await shot("integrity");
					// An export that is made now says so.
					const made = await page.request.post(`${server.url}/v1/exports`, {
						data: { format: "csv", query: `seq:0..${bad.first - 1}` },
						headers: { "Daybook-Org": org, Origin: server.url },
					});
					expect(made.status() === 201, `export: ${made.status()} ${await made.text()}`);
					await go(page, server, "/exports");
					await page.waitForSelector(`td .danger >> text=integrity failed at entry ${bad.first}`);
					await verify(page, server);
					// Who manages acknowledges it, for everybody.
					await page.click(".failure-banner button:has-text('Acknowledge')");
					await page.fill("dialog[open] textarea", "ticket 118: the disk is replaced");
					await shot("dialog");
					await axe();
					await page.click("dialog[open] .dialog-foot button");
					await page.waitForSelector(".failure-banner", { state: "detached" });
					await page.waitForSelector(".integrity-failures >> text=ticket 118");
					await shot("acknowledged");
					const other = await context.browser().newContext();
					const there = await other.newPage();
					await enter(there, server);
					await go(there, server, "/integrity");
					await there.waitForSelector(".integrity-failures >> text=ticket 118");
					expect((await there.locator(".failure-banner").count()) === 0, "the banner is there for another browser");
					await other.close();
				},
			);
		},
	},
	{
		name: "phone",
		fast: false,
		failures,
		viewport: { width: 390, height: 844 },
		async run({ page, program, expect, shot }) {
			await tampered(
				program,
				org,
				(file, { info }) => {
					for (const bad of blocks(file, info.origin).slice(2, 4)) file[bad.at + 100] ^= 1;
				},
				async (server) => {
					await enter(page, server);
					await go(page, server, "/events?range=all&all=1&q=seq:1000..2060");
					await page.waitForSelector(".event-row[data-row]");
					await banner(page);
					await shot("events");
					await verify(page, server);
					const wide = await page.evaluate(() => document.documentElement.scrollWidth);
					expect(wide <= 390, `the page is ${wide} wide`);
					await shot("integrity");
					await page.click(".failure-banner button:has-text('Acknowledge')");
					await page.waitForSelector("dialog[open] textarea");
					await shot("dialog");
				},
			);
		},
	},
	{
		name: "tree",
		fast: false,
		failures,
		async run({ page, program, expect, shot }) {
			await tampered(
				program,
				org,
				(file, { runs }) => expect(flipAll(file, runs.subarray(5 * 32, 6 * 32)) > 0, "the hash of the sixth run is not stored"),
				async (server) => {
					await enter(page, server);
					await verify(page, server);
					await page.waitForSelector(".integrity-outcome .proof-say.failed");
					const text = await banner(page);
					expect(/root_mismatch|proof_invalid/.test(text) && /inclusion/.test(text), `the banner: ${text}`);
					await shot("integrity");
				},
			);
		},
	},
	{
		name: "signature",
		fast: false,
		failures,
		async run({ page, program, expect, shot }) {
			await tampered(
				program,
				org,
				(file, { checkpoint }) => {
					const line = checkpoint.split("\n").find((l) => l.startsWith("— "));
					expect(flipAll(file, Buffer.from(line), Buffer.from(line).length - 20) > 0, "the checkpoint is not stored");
					return Number(checkpoint.split("\n")[1]).toLocaleString("en-GB");
				},
				async (server, size) => {
					await enter(page, server);
					await go(page, server, "/integrity");
					await page.click(`.table tr:has(td:text-is("${size}")) button`);
					await page.waitForSelector(".table .proof-mark.failed");
					const text = await banner(page);
					expect(/signature_invalid/.test(text), `the banner: ${text}`);
					await shot("integrity");
				},
			);
		},
	},
	{
		name: "head",
		fast: false,
		failures,
		async run({ page, program, expect, shot }) {
			await tampered(
				program,
				org,
				(file, { packed, last }) => {
					// The last hash of the frontier covers what is left beyond the largest runs: it stands in the head alone.
					const leaves = [];
					for (let at = last.length - (packed & -packed) * 32; at < last.length; at += 32) leaves.push(last.subarray(at, at + 32));
					expect(flipAll(file, rootOf(leaves)) > 0, "the head is not stored");
				},
				async (server) => {
					await enter(page, server);
					await verify(page, server);
					const text = await banner(page);
					expect(/fork|head/.test(text), `the banner: ${text}`);
					await shot("integrity");
				},
			);
		},
	},
];
