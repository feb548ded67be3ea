import Diff from "diff/lib/diff/base.js";

/** A run of a text: in both, only in the old one, or only in the new one. */
export interface Run {
	kind: "same" | "del" | "ins";
	text: string;
}

/** Differences beyond this are no help to a reader, and take long to find: the whole text was replaced. */
const MAX_EDITS = 600;

/**
 * How one text became another, word by word: the runs that are not "ins" join to the old text, those that are not "del" to the new. Cuts
 * are between what readers see as characters.
 */
export function words(before: string, after: string): Run[] {
	if (before === after) return before === "" ? [] : [{ kind: "same", text: before }];
	return runs(pieces(before), pieces(after), "");
}

/** The same line by line. */
export function lines(before: string, after: string): Run[] {
	return runs(before.split("\n"), after.split("\n"), "\n");
}

/** The difference of two lists of texts. */
class Lists extends Diff<string, string[]> {
	override tokenize(list: unknown): string[] {
		return [...(list as string[])];
	}

	override join(list: string[]): string[] {
		return list;
	}

	override removeEmpty(list: string[]): string[] {
		return list;
	}
}

const differ = new Lists();

function runs(before: string[], after: string[], joint: string): Run[] {
	const found = differ.diff(before as never, after as never, { maxEditLength: MAX_EDITS });
	if (!found) return merge([run("del", before.join(joint)), run("ins", after.join(joint))]);
	return merge(
		found.map((c) => run(c.added ? "ins" : c.removed ? "del" : "same", c.value.join(joint))),
		joint === "",
	);
}

function run(kind: Run["kind"], text: string): Run {
	return { kind, text };
}

/** Joins neighbours, and takes a blank between two changes into both: a kept space tells nobody anything. */
function merge(all: Run[], blanks = false): Run[] {
	const out: Run[] = [];
	let del = "";
	let ins = "";
	const flush = (): void => {
		if (del !== "") out.push({ kind: "del", text: del });
		if (ins !== "") out.push({ kind: "ins", text: ins });
		del = ins = "";
	};
	for (const [i, r] of all.entries()) {
		if (r.text === "" && blanks) continue;
		const between = del !== "" && ins !== "" && all[i + 1] !== undefined && all[i + 1]?.kind !== "same";
		if (r.kind === "del") del += r.text;
		else if (r.kind === "ins") ins += r.text;
		else if (blanks && between && /^\s+$/.test(r.text)) {
			del += r.text;
			ins += r.text;
		} else {
			flush();
			const last = out.at(-1);
			if (blanks && last?.kind === "same") last.text += r.text;
			else out.push({ ...r });
		}
		if (!blanks && r.kind !== "same") {
			// Lines stay apart: each keeps its sign.
			if (r.kind === "del") {
				out.push({ kind: "del", text: del });
				del = "";
			} else {
				out.push({ kind: "ins", text: ins });
				ins = "";
			}
		}
	}
	flush();
	return out;
}

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter("und", { granularity: "word" }) : undefined;

function pieces(text: string): string[] {
	if (segmenter) return Array.from(segmenter.segment(text), (s) => s.segment);
	return text.match(/[\p{L}\p{M}\p{N}_]+|\s+|[^\p{L}\p{M}\p{N}_\s](?:\p{M}|\u200d|\ufe0f)*/gu) ?? [];
}
