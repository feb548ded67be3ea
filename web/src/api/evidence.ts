// How the verifier asks this server. Nothing is sent but questions; what comes is judged by ../verify.
import type { LogInfo, Server } from "../verify/verifier";
import { ask, send } from "./client";

type Info = {
	origin: string;
	size: number;
	signed_size: number;
	min_index: number;
	keys: { vkey: string; state: string }[];
	state: string;
	anchor_vkey: string;
};

/** The routes of the log of an organization. */
export function logPath(org: string): string {
	return `/v1/organizations/${encodeURIComponent(org)}/log`;
}

/** The server of this page, as a Verifier asks it. */
export function evidenceOf(org: string): Server {
	const log = logPath(org);
	const how = (signal?: AbortSignal) => (signal ? { signal } : {});
	return {
		async info(signal): Promise<LogInfo> {
			const i = await ask<Info>(`${log}/info`, how(signal));
			return { origin: i.origin, size: i.size, signedSize: i.signed_size, minIndex: i.min_index, keys: i.keys, state: i.state, anchorVkey: i.anchor_vkey };
		},
		async checkpoint(signal) {
			return (await send(`${log}/checkpoint`, how(signal))).text();
		},
		async evidence(what, signal) {
			const answer = await send(`${log}/bundle`, { params: { from: what.from, to: what.to, size: what.size, since: what.since }, ...how(signal) });
			return chunks(answer.body as ReadableStream<Uint8Array>);
		},
	};
}

async function* chunks(body: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
	const reader = body.getReader();
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return;
		yield value;
	}
}
