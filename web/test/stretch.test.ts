import assert from "node:assert/strict";
import test from "node:test";
import { Stretch, tallest } from "../src/ui/stretch";

const view = 700;

test("a list that fits is not stretched", () => {
	const s = new Stretch(tallest, view);
	for (const place of [0, 5, 90_000, tallest - view]) {
		assert.equal(s.follow(place), place);
		assert.equal(s.placeOf(place), place);
		assert.equal(s.stuck(place), false);
	}
});

test("far steps go in proportion, to both ends; near ones pixel by pixel", () => {
	const total = 180_000_000;
	const s = new Stretch(total, view);
	const end = tallest - view;
	assert.equal(s.follow(end), total - view);
	assert.equal(s.follow(end - 100), total - view - 100);
	const middle = s.follow(end / 2);
	assert.equal(middle, (total - view) / 2);
	assert.equal(s.follow(end / 2 + 120), middle + 120);
	assert.equal(s.follow(0), 0);
	assert.equal(s.follow(100), 100);
	assert.equal(s.follow(-300), -300); // a head above the list
});

test("whoever comes to an end of the element is not at that of the list, until it moves", () => {
	const total = 180_000_000;
	const s = new Stretch(total, view);
	const end = tallest - view;
	let top = s.follow(end - 1000); // in proportion 11,247 pixels before the end of the list
	top = s.follow(end);
	assert.ok(top < total - view && s.stuck(end));
	const place = s.placeOf(top);
	s.moved(place, top);
	assert.ok(place < end && !s.stuck(place));
	assert.equal(s.follow(place + 10), top + 10, "the reader sees the same row, and goes on from there");
});

test("a list that grows keeps the reader's place", () => {
	const s = new Stretch(tallest - 1000, view);
	const top = s.follow(9_000_000);
	s.resize(5 * tallest, view);
	assert.equal(s.follow(9_000_100), top + 100);
	s.moved(s.placeOf(top + 100), top + 100);
	assert.equal(s.follow(s.placeOf(top + 100)), top + 100);
	s.resize(1000, view);
	assert.equal(s.follow(100), 100);
});
