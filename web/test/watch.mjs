// What a page did, seen from within it: when rows were painted, how long frames took, what moved, and which rows stood in the page.

/** Has the pages of a context watch themselves. Must be asked before one is opened. */
export function watch(context) {
	return context.addInitScript(() => {
		const seen = { paints: [], frames: [], shifts: 0, moved: [] };
		window.__seen = seen;
		new PerformanceObserver((list) => {
			for (const one of list.getEntries()) {
				if (one.hadRecentInput) continue;
				seen.shifts += one.value;
				for (const s of one.sources)
					seen.moved.push(
						`${s.node?.parentElement?.className} > ${s.node?.nodeName}.${s.node?.className}: ${s.previousRect.x},${s.previousRect.y} to ${s.currentRect.x},${s.currentRect.y}`,
					);
			}
		}).observe({ type: "layout-shift", buffered: true });
		new PerformanceObserver((list) => {
			for (const one of list.getEntries()) seen.frames.push(one.duration);
		}).observe({ type: "long-animation-frame", buffered: true });
		let pending = false;
		const painted = () => {
			pending = false;
			seen.paints.push(performance.now());
		};
		const isRow = (node) => node instanceof HTMLElement && (node.dataset.row !== undefined || node.querySelector?.("[data-row]"));
		new MutationObserver((changes) => {
			if (pending || !changes.some((c) => Array.from(c.addedNodes).some(isRow))) return;
			pending = true;
			// The message is handled after the frame that the rows are in.
			requestAnimationFrame(() => {
				const { port1, port2 } = new MessageChannel();
				port1.onmessage = painted;
				port2.postMessage(0);
			});
		}).observe(document, { childList: true, subtree: true });
	});
}

/** Milliseconds between the end of the last answer with rows and the paint of its first row; waits for it. */
export function responseToPaint(page) {
	return page
		.waitForFunction(() => {
			const answers = performance.getEntriesByType("resource").filter((r) => /\/v1\/events\?/.test(r.name) && !/cursor=/.test(r.name) && r.responseEnd > 0);
			const end = answers.at(-1)?.responseEnd;
			const paint = end === undefined ? undefined : window.__seen.paints.find((p) => p >= end);
			return paint === undefined ? false : { ms: paint - end, answer: end - answers.at(-1).requestStart };
		})
		.then((h) => h.jsonValue());
}

/** Bytes of the heap after everything that is garbage was collected, and nodes of the document. */
export async function weigh(page) {
	const cdp = await page.context().newCDPSession(page);
	await cdp.send("HeapProfiler.collectGarbage");
	await cdp.send("HeapProfiler.collectGarbage");
	const { usedSize } = await cdp.send("Runtime.getHeapUsage");
	await cdp.detach();
	return { heap: usedSize, nodes: await page.evaluate(() => document.querySelectorAll("*").length) };
}

/**
 * Scrolls a list whose first column is the seq down to a row, by step rows a frame, or by what fits (step 0), and looks at every row
 * that is in the page: row i must be the event that is i before the first, top, or with folded the one that is i or more before it. Waits
 * for rows that are on their way.
 */
export function scrollThrough(page, { to, step = 0, top = -1, folded = false }) {
	return page.evaluate(
		async ({ to, step, top, folded }) => {
			const box = document.querySelector(".virtual");
			const found = { row: 0, top, nodes: 0, frames: 0, slow: 0, worst: 0, wrong: [] };
			const frame = () => new Promise((done) => requestAnimationFrame(done));
			let last = await frame();
			while (found.row < to && found.wrong.length === 0) {
				const all = document.querySelectorAll("[data-row]");
				for (const row of all) {
					const index = Number(row.dataset.row);
					const seq = Number(row.firstElementChild.textContent);
					if (found.top < 0 && index === 0) found.top = seq;
					if (folded ? seq > found.top - index : seq !== found.top - index) found.wrong.push(`row ${index} is seq ${seq}, not ${found.top - index}`);
					found.row = Math.max(found.row, index);
				}
				found.nodes = Math.max(found.nodes, document.querySelectorAll("*").length);
				const height = all[0]?.offsetHeight ?? 36;
				if (!document.querySelector(".event-row[aria-busy=true]")) box.scrollBy(0, step ? step * height : box.clientHeight);
				const now = await frame();
				found.frames++;
				if (now - last > 50) found.slow++;
				found.worst = Math.max(found.worst, now - last);
				last = now;
			}
			return found;
		},
		{ to, step, top, folded },
	);
}
