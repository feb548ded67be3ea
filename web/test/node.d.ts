// What the unit tests use of Node, so that the types of all of Node are not needed.
declare module "node:test" {
	type Run = () => void | Promise<void>;
	export default function test(name: string, run: Run): void;
	export function describe(name: string, run: () => void): void;
	export function it(name: string, run: Run): void;
}
declare module "node:assert/strict" {
	const assert: {
		(value: unknown, message?: string): asserts value;
		ok(value: unknown, message?: string): asserts value;
		equal<T>(actual: T, expected: T, message?: string): void;
		notEqual<T>(actual: T, expected: T, message?: string): void;
		deepEqual<T>(actual: T, expected: T, message?: string): void;
		throws(run: () => unknown, expected?: RegExp | ((error: Error) => boolean), message?: string): void;
		rejects(run: Promise<unknown> | (() => Promise<unknown>), expected?: RegExp | ((error: Error) => boolean), message?: string): Promise<void>;
		match(text: string, pattern: RegExp, message?: string): void;
		fail(message?: string): never;
	};
	export default assert;
}
declare module "node:fs" {
	export function readFileSync(path: string, encoding: "utf8"): string;
	export function readdirSync(path: string): string[];
}
