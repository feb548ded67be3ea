// A server of a story's own, whose store can be changed by hand while it is stopped.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Starts the program on a folder and returns where it answers. Stopping it leaves everything in one file. */
async function start(program, data) {
	const env = { ...process.env, DAYBOOK_TAIL_BYTES: "64KiB" }; // so that the sample is packed into blocks at once
	const server = spawn(program, ["dev", "--listen", "127.0.0.1:0", "--data", data], { env, stdio: ["ignore", "pipe", "pipe"] });
	let log = "";
	server.stderr.on("data", (d) => {
		log += d;
	});
	const ended = new Promise((done) => server.on("exit", done));
	const found = {};
	for await (const line of createInterface({ input: server.stdout })) {
		found.url ??= /^Daybook is ready: (\S+)/.exec(line)?.[1];
		found.key ??= /^\s*key\s+(dbk_\S+)/.exec(line)?.[1];
		if (found.url && found.key) break;
	}
	if (!found.key) throw new Error(`the server did not start: ${log}`);
	server.stdout.resume();
	return {
		...found,
		async stop() {
			server.kill("SIGINT");
			await ended;
		},
	};
}

/** Asks a server. */
async function ask(server, path) {
	const answer = await fetch(server.url + path, { headers: { Authorization: `Bearer ${server.key}` } });
	if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
	return answer;
}

const letters = "0123456789abcdefghjkmnpqrstvwxyz";

/** The ten bytes of the log id in an origin. */
function logID(origin) {
	let bits = "";
	for (const c of origin.slice(-16)) bits += letters.indexOf(c).toString(2).padStart(5, "0");
	return Buffer.from(bits.match(/.{8}/g).map((b) => Number.parseInt(b, 2)));
}

/** The places of every block of a log in the file: where it stands, its first seq and its length. */
export function blocks(file, origin) {
	const id = logID(origin);
	const found = [];
	for (let at = file.indexOf("DBKB\x01"); at >= 0; at = file.indexOf("DBKB\x01", at + 1)) {
		if (file.subarray(at + 8, at + 18).equals(id)) found.push({ at, first: Number(file.readBigUInt64BE(at + 20)), n: file.readUInt32BE(at + 28) });
	}
	return found.sort((a, b) => a.first - b.first);
}

/** Flips a bit of every place where these bytes stand. */
export function flipAll(file, bytes, offset = 0) {
	let n = 0;
	for (let at = file.indexOf(bytes); at >= 0; at = file.indexOf(bytes, at + bytes.length), n++) file[at + offset] ^= 1;
	return n;
}

/** The root of some leaf hashes: RFC 6962. */
export function rootOf(hashes) {
	if (hashes.length === 1) return hashes[0];
	let half = 1;
	while (half * 2 < hashes.length) half *= 2;
	const [left, right] = [rootOf(hashes.slice(0, half)), rootOf(hashes.slice(half))];
	return createHash("sha256")
		.update(Buffer.from([1]))
		.update(left)
		.update(right)
		.digest();
}

let made; // the folder of a stopped server with the sample in blocks, made once

/**
 * Makes the folder from which every story takes its copy, and asks what they need to know of the log of org: how far it is in blocks, the hashes
 * of its whole runs, the leaf hashes of the last one, and a checkpoint.
 */
async function sample(program, org) {
	const folder = mkdtempSync(join(tmpdir(), "daybook-story-"));
	process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
	const log = `/v1/organizations/${org}/log`;
	let server = await start(program, folder);
	const info = await (await ask(server, `${log}/info`)).json();
	let packed = [];
	for (let i = 0; i < 60 && packed.length < 7; i++) {
		await server.stop();
		packed = blocks(readFileSync(join(folder, "daybook.db")), info.origin);
		server = await start(program, folder);
	}
	packed = Math.max(0, ...packed.map((b) => b.first + b.n));
	const checkpoint = await (await ask(server, `${log}/checkpoint`)).text();
	const tile = async (name) => Buffer.from(await (await ask(server, `${log}/tile/${name}`)).arrayBuffer());
	const runs = await tile(`1/000.p/${Math.floor(packed / 256)}`);
	const last = await tile(`0/${String(Math.floor(packed / 256)).padStart(3, "0")}.p/${packed % 256}`);
	await server.stop();
	return { folder, info, checkpoint, packed, runs, last };
}

/**
 * Starts a server of its own with the sample. change gets the bytes of its store while it is stopped, and what is known of the log. The
 * server is stopped and its folder removed when the story ends.
 */
export async function tampered(program, org, change, run) {
	made ??= sample(program, org);
	const { folder, ...known } = await made;
	const copy = mkdtempSync(join(tmpdir(), "daybook-story-"));
	let server;
	try {
		cpSync(folder, copy, { recursive: true });
		const path = join(copy, "daybook.db");
		if (existsSync(`${path}-wal`)) throw new Error("the store has a journal: it was not stopped in order");
		const file = readFileSync(path);
		const about = await change(file, known);
		writeFileSync(path, file);
		server = await start(program, copy);
		await run(server, about);
	} finally {
		await server?.stop();
		rmSync(copy, { recursive: true, force: true });
	}
}
