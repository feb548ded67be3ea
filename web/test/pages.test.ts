import assert from "node:assert/strict";
import test from "node:test";
import type { Entry, Page } from "../src/api/types";
import { fold } from "../src/pages/events/fold";
import { Pages, type Search } from "../src/pages/events/pages";

const search: Search = { org: "o", order: "", asc: false };

function entry(seq: number, action = `a.${seq}`): Entry {
	return { org: "o", seq, id: `evt_${seq}`, received_at: "2026-01-01T00:00:00Z", leaf_hash: "", action, actor: { type: "user", id: "u" } };
}

/** A log of size entries that is read newest first. What is in gone it does not have any more. */
function server(size: number) {
	const asked: string[] = [];
	const gone = new Set<number>();
	const ask = async (_: Search, cursor: string, limit: number): Promise<Page> => {
		asked.push(cursor);
		const top = cursor ? Number(cursor) : size;
		const entries = Array.from({ length: Math.min(limit, top) }, (_, i) => entry(top - 1 - i));
		const rest = top - entries.length;
		return {
			entries: entries.filter((e) => !gone.has(e.seq)),
			next_cursor: rest > 0 ? String(rest) : null,
			size,
			query: "",
			from: null,
			to: null,
			searched: { from: "", to: "", days: 1, of_days: 1, blocks: 1, complete: true },
		};
	};
	return { ask, asked, gone };
}

/** The answers come in later turns. */
async function settled(): Promise<void> {
	for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** Reads on to the end, as a reader who scrolls does. */
async function readAll(pages: Pages): Promise<void> {
	while (!pages.done) {
		await pages.more();
		pages.look(pages.count - 10, pages.count);
	}
}

test("every entry is shown once and in order, also after it was let go", async () => {
	const { ask, asked } = server(10_000);
	const pages = new Pages(search, false, ask);
	await readAll(pages);
	assert.equal(pages.count, 10_000);
	assert.equal(pages.row(0), undefined, "the first page was not let go");
	for (let at = 9_990; at > 0; at -= 370) {
		pages.look(at, at + 10);
		await settled();
		for (let i = at; i < at + 10; i++) assert.equal(pages.row(i)?.entry.seq, 9_999 - i);
	}
	pages.look(0, 10);
	await settled();
	assert.equal(pages.row(0)?.entry.seq, 9_999);
	assert.equal(pages.row(9_999), undefined, "the last page was not let go");
	assert.equal(asked.filter((c) => c === "").length, 2);
	assert.equal(pages.find("evt_9990"), 9);
	assert.equal(pages.find("evt_1"), -1);
});

test("what was removed while its page was let go moves what follows up", async () => {
	const { ask, gone } = server(4000);
	const pages = new Pages(search, false, ask);
	await readAll(pages);
	gone.add(3995);
	pages.look(0, 10);
	await settled();
	assert.equal(pages.count, 3999);
	assert.equal(pages.row(3)?.entry.seq, 3996);
	assert.equal(pages.row(4)?.entry.seq, 3994);
	assert.equal(pages.row(500)?.entry.seq, 3498);
});

test("what came live stands in front and is not let go", async () => {
	const { ask } = server(5000);
	const pages = new Pages(search, false, ask);
	await pages.more();
	pages.prepend([entry(5001), entry(5000)]);
	await readAll(pages);
	assert.equal(pages.row(0)?.entry.seq, 5001);
	assert.equal(pages.row(1)?.entry.seq, 5000);
	assert.equal(pages.row(5001)?.entry.seq, 0);
	assert.equal(pages.row(2), undefined, "the page behind it was not let go");
});

test("what the page around the rows shows changes with the first answer, a problem and nothing else", async () => {
	const { ask } = server(3000);
	let broken = false;
	const failure = new Error("gone");
	const pages = new Pages(search, false, (s, c, n) => (broken ? Promise.reject(failure) : ask(s, c, n)));
	const seen: unknown[] = [];
	pages.outline.subscribe((o) => seen.push([o.answered, o.empty, String(o.problem)]));
	await readAll(pages);
	broken = true;
	pages.look(0, 10);
	await settled();
	pages.look(0, 10); // what failed is not asked again before the reader says so
	broken = false;
	pages.retry();
	await settled();
	assert.equal(pages.row(0)?.entry.seq, 2999);
	assert.deepEqual(seen, [
		[false, false, "null"],
		[true, false, "null"],
		[true, false, "Error: gone"],
		[true, false, "null"],
	]);
});

test("a failure keeps the rows and can be tried again", async () => {
	const { ask } = server(300);
	let broken = false;
	const pages = new Pages(search, false, (s, c, n) => (broken ? Promise.reject(new Error("gone")) : ask(s, c, n)));
	await pages.more();
	broken = true;
	await pages.more();
	assert.match(String(pages.problem), /gone/);
	assert.equal(pages.count, 100);
	broken = false;
	pages.retry();
	await settled();
	assert.equal(pages.problem, null);
	assert.equal(pages.count, 300);
});

test("repeats fold only when who, what and on what are the same", () => {
	const same = (seq: number, target: string): Entry => ({ ...entry(seq, "doc.viewed"), targets: [{ type: "doc", id: target }] });
	const rows = fold([same(5, "a"), same(4, "a"), same(3, "b"), same(2, "a"), { ...same(1, "a"), outcome: "denied" }]);
	assert.deepEqual(
		rows.map((r) => [r.entry.seq, r.repeats.map((e) => e.seq)]),
		[
			[5, [4]],
			[3, []],
			[2, []],
			[1, []],
		],
	);
});
