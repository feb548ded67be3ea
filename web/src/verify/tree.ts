import { same, sha256 } from "./bytes";

/** RFC 6962 trees. Sizes and positions are below 2^53, so no bitwise operator of JavaScript is used on them. */

export type Hash = Uint8Array;

export const EMPTY_ROOT: Hash = sha256(new Uint8Array(0));

export function node(left: Hash, right: Hash): Hash {
	return sha256(Uint8Array.of(1), left, right);
}

const odd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);

/** RFC 9162, 2.1.3.2: whether leaf is at index of the tree of this size and root. */
export function included(leaf: Hash, index: number, size: number, proof: readonly Hash[], root: Hash): boolean {
	if (index < 0 || index >= size) return false;
	let fn = index;
	let sn = size - 1;
	let hash = leaf;
	for (const p of proof) {
		if (sn === 0) return false;
		if (odd(fn) || fn === sn) {
			hash = node(p, hash);
			while (fn !== 0 && !odd(fn)) {
				fn = half(fn);
				sn = half(sn);
			}
		} else {
			hash = node(hash, p);
		}
		fn = half(fn);
		sn = half(sn);
	}
	return sn === 0 && same(hash, root);
}

/** RFC 9162, 2.1.4.2: whether the tree of the old size and root is the beginning of the other. */
export function consistent(oldSize: number, oldRoot: Hash, size: number, root: Hash, proof: readonly Hash[]): boolean {
	if (oldSize === size || oldSize === 0) return proof.length === 0 && same(oldRoot, oldSize === 0 ? EMPTY_ROOT : root);
	if (oldSize > size || proof.length === 0) return false;
	let fn = oldSize - 1;
	let sn = size - 1;
	while (odd(fn)) {
		fn = half(fn);
		sn = half(sn);
	}
	// A perfect tree is its own first subtree, which the proof leaves out.
	const path = fn === 0 ? [oldRoot, ...proof] : [...proof];
	const first = path.shift() as Hash;
	let before = first;
	let now = first;
	for (const p of path) {
		if (sn === 0) return false;
		if (odd(fn) || fn === sn) {
			before = node(p, before);
			now = node(p, now);
			while (fn !== 0 && !odd(fn)) {
				fn = half(fn);
				sn = half(sn);
			}
		} else {
			now = node(now, p);
		}
		fn = half(fn);
		sn = half(sn);
	}
	return sn === 0 && same(before, oldRoot) && same(now, root);
}

/** The sizes of the perfect aligned subtrees that cover [start, end), each the largest that starts there and fits. */
export function subtrees(start: number, end: number): number[] {
	const sizes: number[] = [];
	while (start < end) {
		let size = 1;
		while (size * 2 <= end - start && start % (size * 2) === 0) size *= 2;
		sizes.push(size);
		start += size;
	}
	return sizes;
}

/** The root of a tree from the hashes left of a range, its leaves one by one, and the hashes right of it. */
export class Range {
	/** Perfect subtrees from left to right, their sizes descending. */
	private readonly stack: { size: number; hash: Hash }[] = [];
	private right: Hash[];
	private readonly rightSizes: number[];

	/** Undefined when the proof has a hash too many or too few. */
	static of(start: number, end: number, size: number, left: readonly Hash[], right: readonly Hash[]): Range | undefined {
		const r = new Range(subtrees(0, start), left, subtrees(end, size), right);
		return left.length === r.stack.length && right.length === r.rightSizes.length ? r : undefined;
	}

	private constructor(leftSizes: number[], left: readonly Hash[], rightSizes: number[], right: readonly Hash[]) {
		for (const [i, size] of leftSizes.entries()) this.stack.push({ size, hash: left[i] ?? EMPTY_ROOT });
		this.rightSizes = rightSizes;
		this.right = [...right];
	}

	append(hash: Hash, size = 1): void {
		for (let top = this.stack.at(-1); top?.size === size; top = this.stack.at(-1)) {
			hash = node(top.hash, hash);
			size *= 2;
			this.stack.pop();
		}
		this.stack.push({ size, hash });
	}

	/** The root, after all leaves of the range. It may be asked once. */
	root(): Hash {
		for (const [i, size] of this.rightSizes.entries()) this.append(this.right[i] as Hash, size);
		this.right = [];
		let root: Hash | undefined;
		for (const { hash } of [...this.stack].reverse()) root = root ? node(hash, root) : hash;
		return root ?? EMPTY_ROOT;
	}
}
