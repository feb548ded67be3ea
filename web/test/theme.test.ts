import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

const css = readFileSync("src/theme/tokens.css", "utf8");

function token(name: string): [string, string] {
	const found = css.match(new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`));
	assert(found, `no token ${name}`);
	return [found[1] as string, found[2] as string];
}

function luminance(hex: string): number {
	const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => {
		const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
		return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	});
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
	const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m) as [number, number];
	return (x + 0.05) / (y + 0.05);
}

test("every colour can be read on every surface", () => {
	const surfaces = ["bg", "surface", "sunken", "hover"].map(token);
	const lowest: Record<string, number> = { text: 13, muted: 5.7, accent: 5.8, proof: 5.5, danger: 5.5, warn: 5.3, control: 3 };
	for (const [name, least] of Object.entries(lowest)) {
		const ink = token(name);
		for (const surface of surfaces) {
			for (const theme of [0, 1] as const) {
				const ratio = contrast(ink[theme], surface[theme]);
				assert(ratio >= least, `${name} ${ink[theme]} on ${surface[theme]}: ${ratio.toFixed(2)}`);
			}
		}
	}
	for (const [ink, paper] of [
		["on-accent", "accent"],
		["add-fg", "add-bg"],
		["del-fg", "del-bg"],
	] as const) {
		for (const theme of [0, 1] as const) {
			const ratio = contrast(token(ink)[theme], token(paper)[theme]);
			assert(ratio >= 4.5, `${ink} on ${paper}: ${ratio.toFixed(2)}`);
		}
	}
});

test("an icon has a picture and a name", () => {
	const pictures = readdirSync("src/icons").map((f) => f.replace(".svg", ""));
	const names = Array.from(readFileSync("src/ui/icon.tsx", "utf8").matchAll(/\| "([a-z0-9-]+)"/g), (m) => m[1] as string);
	assert.deepEqual(names.sort(), pictures.sort());
});

test("colours stand in tokens.css alone", () => {
	for (const file of ["src/theme/base.css", "src/ui/ui.css", "src/shell/shell.css", "src/pages/events/events.css", "src/pages/signin/signin.css"]) {
		assert.equal(readFileSync(file, "utf8").match(/#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(/)?.[0], undefined, file);
	}
});
