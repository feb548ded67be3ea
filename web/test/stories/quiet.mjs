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
	return async () => {
		const until = Date.now() + patience;
		for (;;) {
			while (flying.size > 0) {
				if (Date.now() > until) throw new Error(`not answered: ${Array.from(flying, (r) => r.url()).join(" ")}`);
				await new Promise((done) => setTimeout(done, 10));
			}
			await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
			await painted();
			if (flying.size === 0) return;
		}
	};
}
