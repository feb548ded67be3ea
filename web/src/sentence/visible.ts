/**
 * Text of an event for people: the twin of internal/sentence in Go, held to testdata/vectors/sentences.json. Everything here returns
 * text, never markup: it goes into text nodes.
 */

/** Characters that take no room or change the direction of their neighbours; joiners stay, for scripts and emoji need them. */
const invisible = /[\u0080-\u009f\u2028\u2029\u115f\u3164]|(?![\u200c\u200d])\p{Cf}/u;
const hidden = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u115f\u3164]|(?![\u200c\u200d])\p{Cf}/gu;

/** Whether a reader would not see the character, or it would move what stands beside it. */
export function isInvisible(c: string): boolean {
	return invisible.test(c);
}

/** The text with every hidden character as a symbol: ␛ for a control character, ⟨U+202E⟩ for another. */
export function visible(text: string): string {
	return text.replace(hidden, (c) => {
		const n = c.codePointAt(0) as number;
		if (n < 0x20) return String.fromCodePoint(0x2400 + n);
		if (n === 0x7f) return "␡";
		return `⟨U+${n.toString(16).toUpperCase().padStart(4, "0")}⟩`;
	});
}

/** Characters of one value, and those that shorten gives up at most to keep one whole. */
const MAX_VALUE = 80;
const MAX_BACK = 16;

/** The value cut at 80 characters, the last one "…", between two that readers see as two, and visible. */
export function shorten(text: string): string {
	if (text.length <= MAX_VALUE) return visible(text);
	const all: string[] = [];
	for (const c of text) if (all.push(c) > MAX_VALUE) break;
	if (all.length <= MAX_VALUE) return visible(text);
	let end = MAX_VALUE - 1;
	while (end > MAX_VALUE - 1 - MAX_BACK && joined(all, end)) end--;
	if (joined(all, end)) end = MAX_VALUE - 1; // one endless cluster
	return `${visible(all.slice(0, end).join(""))}…`;
}

const JOINER = "\u200d";
const flag = (c: string | undefined): boolean => c !== undefined && /^[\u{1f1e6}-\u{1f1ff}]$/u.test(c);

/** Whether the characters before and at position i are one for readers. */
function joined(all: readonly string[], i: number): boolean {
	const c = all[i] as string;
	if (/^(?:\p{M}|[\u{1f3fb}-\u{1f3ff}])$/u.test(c) || c === JOINER || all[i - 1] === JOINER) return true;
	if (!flag(c) || !flag(all[i - 1])) return false;
	let n = 0;
	for (let j = i - 1; j >= 0 && flag(all[j]); j--) n++;
	return n % 2 === 1;
}
