import { type Json, member, Num, textOf } from "../json/read";
import type { LogInfo } from "./verifier";

/** The number of an answer, 0 if there is none. */
export function int(v: Json | undefined): number {
	return v instanceof Num ? Number(v.text) : 0;
}

/** What LOG/info answers. */
export function logInfo(v: Json): LogInfo {
	const keys = member(v, "keys");
	return {
		origin: textOf(v, "origin"),
		size: int(member(v, "size")),
		signedSize: int(member(v, "signed_size")),
		minIndex: int(member(v, "min_index")),
		state: textOf(v, "state"),
		anchorVkey: textOf(v, "anchor_vkey"),
		keys: (Array.isArray(keys) ? keys : []).map((k) => ({ vkey: textOf(k, "vkey"), state: textOf(k, "state") })),
	};
}

/** The body of an answer, piece by piece. */
export async function* chunks(answer: Response): AsyncGenerator<Uint8Array> {
	const reader = answer.body?.getReader();
	for (let r = await reader?.read(); r && !r.done; r = await reader?.read()) yield r.value;
}
