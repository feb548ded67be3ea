import assert from "node:assert/strict";
import test from "node:test";
import type { Entry, Page } from "../src/api/types";
import { fold } from "../src/pages/events/fold";
import { Pages, type Search } from "../src/pages/events/pages";

const search: Search = { org: "o", order: "", asc: false };

function entry(seq: number, action = `a.${seq}`): Entry {
	return { org: "o", seq, id: `evt_${seq}`, received_at: "2026-01-01T00:00:00Z", leaf_hash: "", action, actor: { type: "user", id: "u" } };
}

/** A log of size entries that is read ten at a time, newest first. */
function server(size: number) {
	const asked: string[] = [];
	const ask = async (_: Search, cursor: string): Promise<Page> => {
		asked.push(cursor);
		const top = cursor ? Number(cursor) : size;
		const entries = Array.from({ length: Math.min(10, top) }, (_, i) => entry(top - 1 - i));
		const rest = top - entries.length;
		return {
			entries,
			next_cursor: rest > 0 ? String(rest) : null,
			size,
			query: "",
			from: null,
			to: null,
			searched: { from: "", to: "", days: 1, of_days: 1, blocks: 1, complete: true },
		};
	};
	return { ask, asked };
}

test("every entry is shown once and in order, also after it was let go", async () => {
	const { ask, asked } = server(1000);
	const pages = new Pages(search, false, ask);
	while (!pages.done) {
		await pages.more();
		pages.look(pages.count - 10, pages.count);
	}
	assert.equal(pages.count, 1000);
	assert.equal(pages.row(0), undefined, "the first page was not let go");
	pages.look(0, 10);
	for (let i = 0; i < 50; i++) await Promise.resolve(); // the answers come in later turns
	assert.equal(pages.row(0)?.entry.seq, 999);
	assert.equal(pages.row(999), undefined, "the last page was not let go");
	assert.equal(asked.filter((c) => c === "").length, 2);
	assert.equal(pages.find("evt_990"), 9);
	assert.equal(pages.find("evt_1"), -1);
});

test("a failure keeps the rows and can be tried again", async () => {
	const { ask } = server(30);
	let broken = false;
	const pages = new Pages(search, false, (s, c) => (broken ? Promise.reject(new Error("gone")) : ask(s, c)));
	await pages.more();
	broken = true;
	await pages.more();
	assert.match(String(pages.problem), /gone/);
	assert.equal(pages.count, 10);
	broken = false;
	await pages.more();
	assert.equal(pages.problem, null);
	assert.equal(pages.count, 20);
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
