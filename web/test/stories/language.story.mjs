/** Pages that must bear the lengths of German. */
const pages = {
	events: "/o/org_acme/events",
	event: "/o/org_acme/events?q=action:invoice.updated",
	exports: "/o/org_acme/exports?new=1",
	retention: "/o/org_acme/settings/retention",
	holds: "/o/org_acme/settings/retention?tab=holds&new=1",
	erasures: "/o/org_acme/settings/retention?tab=erasures&new=1",
	keys: "/o/org_acme/settings/keys",
	viewer: "/o/org_acme/settings/viewer",
	schemas: "/o/org_acme/settings/schemas",
	integrity: "/o/org_acme/integrity",
	admin: "/admin",
};

/** Texts of one line that do not fit into their place, and how wide the page is when it is too wide. */
function misfits() {
	const found = [];
	const wide = document.documentElement.scrollWidth;
	if (wide > innerWidth) found.push(`the page is ${wide} wide`);
	for (const el of document.querySelectorAll("button, a.button, h1, h2, th, label, .badge, .event-head span, .rail-link span, [role=tab]")) {
		const cut = getComputedStyle(el).overflowX !== "visible" && el.scrollWidth > el.clientWidth + 1;
		if (el.checkVisibility() && cut && !el.closest(".facets, .rail")) found.push(`“${el.textContent}” is cut`);
	}
	return found;
}

/** Shows every page, and says which texts do not fit. */
async function walk({ open, quiet, page, expect, shot }) {
	for (const [name, path] of Object.entries(pages)) {
		await open(path);
		await quiet();
		if (name === "event") {
			await page.click(".event-row[data-row] >> nth=0");
			await page.waitForSelector("[role=tab] >> text=Nachweis");
		}
		await shot(name);
		const found = await page.evaluate(misfits);
		expect(found.length === 0, `${name}: ${found.join("; ")}`);
	}
}

const german = { locale: "de-DE" };

export default [
	{
		name: "first-paint",
		failures: ["q=actr"],
		context: german,
		async run({ open, page, rows, expect }) {
			await page.addInitScript(() => {
				window.seen = new Set();
				new MutationObserver(() => {
					for (const el of document.querySelectorAll("h1, .rail-link, .button")) window.seen.add(el.textContent.trim());
				}).observe(document, { childList: true, subtree: true, characterData: true });
			});
			const loaded = [];
			page.on("request", (r) => loaded.push(new URL(r.url()).pathname));
			await open("/o/org_acme/events");
			await rows();
			await page.waitForSelector("h1 >> text=Ereignisse");
			expect((await page.getAttribute("html", "lang")) === "de", "the page does not say that it is German");
			const seen = await page.evaluate(() => Array.from(window.seen));
			const english = ["Events", "Exports", "Integrity", "Save", "Last 7 days"].filter((text) => seen.includes(text));
			expect(english.length === 0, `shown in English first: ${english}`);
			const texts = loaded.filter((path) => /\/de-[^/]*\.js$/.test(path));
			expect(texts.length === 1, `German is ${texts.length} requests`);
			await page.fill(".query input", "actr:ada");
			await page.keyboard.press("Enter");
			await page.waitForSelector("text=Dieses Feld gibt es nicht");
		},
	},
	{
		name: "chosen",
		async run({ open, page, rows, expect, shot }) {
			const loaded = [];
			page.on("request", (r) => loaded.push(r.url()));
			await open("/o/org_acme/events?q=action:invoice.updated");
			await rows();
			expect(!loaded.some((url) => /\/de-[^/]*\.js$/.test(url)), "German is loaded for an English reader");
			await page.click(".rail-foot .button >> nth=2");
			await page.click(".menu-row >> text=Deutsch");
			await page.waitForSelector("h1 >> text=Ereignisse");
			await page.waitForSelector(".event-row >> text=geändert"); // rows that are shown already, too
			await page.reload();
			await rows();
			await page.waitForSelector(".event-head >> text=Nachweis");
			await page.click(".rail-foot .button >> nth=2");
			await shot("menu");
			await page.click(".menu-row >> text=English");
			await page.waitForSelector("h1 >> text=Events");
			expect((await page.getAttribute("html", "lang")) === "en", "the page does not say that it is English");
		},
	},
	{ name: "wide", context: german, fast: false, run: walk },
	{ name: "narrow", context: german, viewport: { width: 390, height: 844 }, run: walk },
];
