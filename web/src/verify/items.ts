import { malformed } from "./finding";
import { MAX_FIELDS } from "./payload";
import { MAX_INT } from "./read";

/** A run of entries, both ends included, or the same fields of each of them. */
export interface Item {
	first: number;
	last: number;
	/** Undefined: whole entries. */
	fields?: Set<number>;
}

const SEQ = "(?:0|[1-9][0-9]{0,15})";
const ITEM = new RegExp(`^(${SEQ})(?:-(${SEQ}))?(?::(${SEQ}(?:,${SEQ})*))?$`);

/** Reads the items of a control entry: item *(";" item), item = seq ["-" seq] [":" index *("," index)]. They ascend without overlap. */
export function readItems(text: string): Item[] {
	if (text.length > 64 << 10) throw malformed("a list of items is too long");
	const all: Item[] = [];
	let before = -1;
	for (const part of text.split(";")) {
		const m = ITEM.exec(part);
		if (!m) throw malformed("items are not a list of entries");
		const first = Number(m[1]);
		const last = m[2] === undefined ? first : Number(m[2]);
		if (first > last || (m[2] !== undefined && first === last) || last >= MAX_INT || first <= before) throw malformed("items are not a list of entries");
		before = last;
		const indexes = m[3]?.split(",").map(Number);
		if (indexes?.some((f, i) => f >= MAX_FIELDS || (i > 0 && f <= (indexes[i - 1] as number)))) throw malformed("items name impossible fields");
		all.push(indexes ? { first, last, fields: new Set(indexes) } : { first, last });
	}
	return all;
}

/** The first entry that two lists of items have in common. */
export function meet(a: readonly Item[], b: readonly Item[]): number | undefined {
	let i = 0;
	let j = 0;
	for (let x = a[i], y = b[j]; x && y; x = a[i], y = b[j]) {
		const first = Math.max(x.first, y.first);
		if (first <= Math.min(x.last, y.last) && common(x.fields, y.fields)) return first;
		if (x.last < y.last) i++;
		else j++;
	}
	return undefined;
}

function common(a: Set<number> | undefined, b: Set<number> | undefined): boolean {
	return !a || !b || [...a].some((f) => b.has(f));
}

/** A set of entries, made of runs in any order. */
export class Cover {
	private readonly runs: [number, number][] = [];

	constructor(runs: Iterable<readonly [number, number]>) {
		for (const [first, last] of [...runs].sort((a, b) => a[0] - b[0])) {
			const top = this.runs.at(-1);
			if (top && first <= top[1] + 1) top[1] = Math.max(top[1], last);
			else this.runs.push([first, last]);
		}
	}

	[Symbol.iterator](): IterableIterator<[number, number]> {
		return this.runs[Symbol.iterator]();
	}

	/** The end of the run that holds seq. */
	end(seq: number): number | undefined {
		let low = 0;
		let high = this.runs.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.runs[middle] as [number, number])[0] <= seq) low = middle + 1;
			else high = middle;
		}
		const run = this.runs[low - 1];
		return run && run[1] >= seq ? run[1] : undefined;
	}

	/** The first entry of [first, last] that is not in the set. */
	hole(first: number, last: number): number | undefined {
		while (first <= last) {
			const end = this.end(first);
			if (end === undefined) return first;
			first = end + 1;
		}
		return undefined;
	}
}
