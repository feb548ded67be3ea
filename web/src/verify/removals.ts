import { Bad, type Finding, malformed, unsupported } from "./finding";
import { Cover, type Item, meet, readItems } from "./items";
import { type Entry, says } from "./leaf";
import { MAX_INT } from "./read";

/** What one control entry says. */
interface Act {
	seq: number;
	op: string;
	state: string;
	hold: string;
	keep: string;
	items: Item[];
}

/** What is missing from evidence, and what control entries say about it. */
export class Removals {
	private readonly acts: Act[] = [];
	private readonly bodies: [number, number][] = [];
	private readonly leaves: [number, number][] = [];
	private readonly withheld = new Map<number, number[]>();
	private readonly whole: number[] = [];
	readonly ids = new Set<number>();

	/** Keeps which fields of an entry are not shown. */
	show(e: Entry): void {
		if (e.withheld.length > 0) this.withheld.set(e.leaf.seq, e.withheld);
		if (e.withheld.length < e.fields.length) this.whole.push(e.leaf.seq);
	}

	bodyGone(seq: number): void {
		this.bodies.push([seq, seq]);
	}

	leafGone(first: number, last: number): void {
		this.leaves.push([first, last]);
	}

	/** Keeps what a control entry says, or throws what is wrong with it. */
	act(e: Entry): void {
		const seq = e.leaf.seq;
		const need = (path: string): string => {
			const found = says(e, path);
			if (found === undefined)
				throw e.withheld.length > 0 ? new Bad("control_withheld", `entry ${seq} does not show what it says`) : malformed(`a control entry without ${path}`);
			return found;
		};
		const op = says(e, "/op");
		if (op === undefined) throw new Bad("control_withheld", `entry ${seq} does not show what it says`);
		const act: Act = { seq, op, state: "", hold: "", keep: "", items: [] };
		switch (op) {
			case "erase":
				// Erased again from the log of an earlier epoch, after a restore: nothing of this log.
				if (says(e, "/items") === undefined && says(e, "/of") !== undefined) break;
				act.items = before(seq, readItems(need("/items")));
				break;
			case "prune":
				act.keep = need("/keep");
				if (!["leaf", "hash", "tile"].includes(act.keep)) throw unknown(`what a prune entry keeps, ${JSON.stringify(act.keep)}`);
				act.items = before(seq, readItems(need("/items")));
				if (act.items.some((i) => i.fields)) throw malformed("a prune entry names whole entries");
				break;
			case "hold":
				act.state = need("/state");
				act.hold = need("/hold_id");
				if (act.state !== "placed" && act.state !== "released") throw unknown(`the state ${JSON.stringify(act.state)} of a hold`);
				if (act.state === "placed") act.items = held(says(e, "/items"));
				break;
			case "key":
				need("/state");
				need("/vkey");
				break;
			case "epoch":
				if (seq !== 0) throw malformed("an epoch entry stands at seq 0 only");
				break;
			default:
				throw unknown(`the op ${JSON.stringify(op)}`);
		}
		this.acts.push(act);
	}

	/** How many entries and fields control entries removed, for a summary. */
	counts(): { pruned: number; erased: number; fields: number } {
		const n = { pruned: 0, erased: 0, fields: 0 };
		for (const a of this.acts) {
			for (const i of a.op === "erase" || a.op === "prune" ? a.items : []) {
				const entries = i.last - i.first + 1;
				if (a.op === "prune") n.pruned += entries;
				else if (i.fields) n.fields += entries * i.fields.size;
				else n.erased += entries;
			}
		}
		return n;
	}

	/** What is missing without a control entry, and what was removed under a hold. A filtered or masked copy leaves out more than was removed. */
	judge(masked: boolean, filtered: boolean): Finding[] {
		const found: Finding[] = [];
		const add = (code: Finding["code"], seq: number, message: string): void => {
			found.push({ code, seq, message });
		};
		this.acts.sort((a, b) => a.seq - b.seq);
		this.judgeHolds(add);
		const removals = this.acts.filter((a) => a.op === "erase" || a.op === "prune").flatMap((a) => a.items.map((i) => ({ a, i })));
		const cover = (which: (a: Act, i: Item) => boolean): Cover => new Cover(removals.filter(({ a, i }) => which(a, i)).map(({ i }) => [i.first, i.last]));
		const bodies = cover((_, i) => !i.fields);
		const hashed = cover((a) => a.op === "prune" && a.keep !== "leaf");
		const erased = cover((a, i) => a.op === "erase" && !i.fields);
		const byField = removals.filter(({ a, i }) => a.op === "erase" && i.fields).map(({ i }) => i);
		const missing = (lines: [number, number][], allowed: Cover, what: string): void => {
			for (const [first, last] of new Cover(lines)) {
				const seq = allowed.hole(first, last);
				if (seq !== undefined) add("unauthorised_removal", seq, `${what} is missing, and no control entry says why`);
			}
		};
		missing(this.bodies, bodies, "the body of an entry");
		if (!filtered) missing(this.leaves, hashed, "the leaf of an entry");
		for (const [seq, fields] of masked ? [] : this.withheld) {
			const allowed = (f: number): boolean => byField.some((i) => i.first <= seq && seq <= i.last && i.fields?.has(f));
			if (erased.end(seq) === undefined && !fields.every(allowed)) add("unauthorised_removal", seq, "a field is missing, and no control entry says why");
		}
		return found;
	}

	private judgeHolds(add: (code: Finding["code"], seq: number, message: string) => void): void {
		const active = new Map<string, Item[][]>();
		for (const a of this.acts) {
			if (a.op === "hold") {
				if (a.state === "placed") active.set(a.hold, [...(active.get(a.hold) ?? []), a.items]);
				else active.delete(a.hold);
			} else if (a.op === "erase" || a.op === "prune") {
				for (const items of [...active.values()].flat()) {
					const seq = meet(items, a.items);
					if (seq !== undefined) {
						add("hold_violated", a.seq, `the ${a.op} entry covers entry ${seq}, which is on hold`);
						break;
					}
				}
			}
		}
	}
}

function before(seq: number, items: Item[]): Item[] {
	if ((items.at(-1)?.last ?? 0) >= seq) throw malformed("a control entry removes itself or what comes after it");
	return items;
}

/** A hold that matched nothing when it was placed has no items. */
function held(text: string | undefined): Item[] {
	if (text === undefined) return [];
	return text === "*" ? [{ first: 0, last: MAX_INT }] : readItems(text);
}

/** Not known to this version, which does not end the reading. */
function unknown(what: string): Bad {
	return new Bad(unsupported(what).code, `${what} is not known to this version`);
}
