import type { Entry } from "../../api/types";

/** One line of the list: an entry, and those right after it that say the same. */
export type Row = { entry: Entry; repeats: Entry[] };

/** Puts consecutive entries of the same actor, action, outcome and target into one row, the first of them in front. */
export function fold(entries: Entry[]): Row[] {
	const rows: Row[] = [];
	let last = "";
	for (const entry of entries) {
		const key = sameness(entry);
		const row = rows[rows.length - 1];
		if (row && key === last) {
			row.repeats.push(entry);
		} else {
			rows.push({ entry, repeats: [] });
		}
		last = key;
	}
	return rows;
}

function sameness(e: Entry): string {
	if (!e.action) return `${e.seq}`; // an act of the log, or what is left of a removed entry: each is its own
	const via = e.actor?.via?.map((v) => [v.type, v.id]) ?? [];
	const targets = e.targets?.map((one) => [one.type, one.id]) ?? [];
	return JSON.stringify([e.action, e.outcome ?? "success", e.actor?.type, e.actor?.id, via, targets]);
}
