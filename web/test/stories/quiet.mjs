// When a page has nothing to wait for: no answer of the API, nothing that says it is busy, and what came is painted.

import { patience } from "../browser.mjs";

/** Watches the requests of a page from now on, and returns how to wait until it is quiet. */
export function quietly(page) {
	const flying = new Set();
	let leaving = false;
	page.on("request", (r) => {
		if (r.isNavigationRequest() && r.frame() === page.mainFrame()) leaving = true;
		else if (/\/v1\/(?!events\/tail)/.test(r.url())) flying.add(r);
	});
	for (const end of ["requestfinished", "requestfailed"]) page.on(end, (r) => flying.delete(r));
	page.on("framenavigated", (frame) => {
		if (frame !== page.mainFrame() || !leaving) return;
		leaving = false;
		flying.clear(); // what the page before had asked is of no interest to anybody
	});
	const painted = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
	const quiet = async (held = []) => {
		const until = Date.now() + patience;
		const left = () => [...flying].filter((r) => !held.some((route) => route.request() === r)).map((r) => r.url());
		for (;;) {
			while (left().length > 0) {
				if (Date.now() > until) throw new Error(`not answered: ${left().join(" ")}`);
				await new Promise((done) => setTimeout(done, 10));
			}
			await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
			await painted();
			if (left().length === 0) return;
		}
	};
	return Object.assign(() => quiet(), {
		/** The same, but for routes that a story holds. */
		but: quiet,
	});
}
