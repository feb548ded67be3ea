// README.md says which story holds which state: each of them is there.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

test("every story that README.md names is told", () => {
	const told = new Map(
		readdirSync("test/stories")
			.filter((file) => file.endsWith(".story.mjs"))
			.map((file) => [file.replace(".story.mjs", ""), readFileSync(`test/stories/${file}`, "utf8")]),
	);
	const named = [...readFileSync("test/README.md", "utf8").matchAll(/`([a-z]+)\/([a-z-]+)`/g)];
	assert.ok(named.length > 30, "the tables are gone");
	for (const [, group = "", name] of named) assert.ok(told.get(group)?.includes(`name: "${name}"`), `${group}/${name}`);
});
