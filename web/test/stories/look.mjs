// What every page must keep to, whatever it shows: looked for by the walk in the page that is open.

/** Everything wrong with how the page lies there, in words; nothing: []. */
export const looks = (page) =>
	page.evaluate(() => {
		const wrong = [];
		const name = (el) =>
			`<${el.tagName.toLowerCase()}${el.className?.baseVal === undefined && el.className ? `.${String(el.className).trim().replace(/\s+/g, ".")}` : ""}>`;
		const root = document.documentElement;
		for (const el of [root, document.querySelector("main")]) {
			if (el && el.scrollWidth > el.clientWidth + 1) wrong.push(`${name(el)} scrolls sideways: ${el.scrollWidth} in ${el.clientWidth}`);
		}
		/** Whether something around it scrolls, or cuts it off with a sign. */
		const inside = (el) => {
			for (let up = el; up && up !== document.body; up = up.parentElement) {
				const style = getComputedStyle(up);
				if (style.overflowX === "auto" || style.overflowX === "scroll" || style.textOverflow === "ellipsis") return up.tagName !== "MAIN";
			}
			return false;
		};
		const seen = (el) => el.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && el.getClientRects().length > 0;
		for (const el of document.querySelectorAll("body *")) {
			if (!seen(el) || el.closest(".hidden-text, .sprite, [aria-hidden='true'], svg, .query-paint") || getComputedStyle(el).clipPath !== "none") continue;
			const text = Array.from(el.childNodes, (n) => (n.nodeType === Node.TEXT_NODE ? n.data.trim() : "")).join("");
			const style = getComputedStyle(el);
			const box = el.getBoundingClientRect();
			// Text that is cut off must say so and be readable some other way.
			if (style.overflowX === "hidden" && el.scrollWidth > el.clientWidth + 1 && el.innerText?.trim() && style.position !== "absolute") {
				const whole = el.closest("[title]") || el.querySelector("[title]");
				if (style.textOverflow !== "ellipsis") wrong.push(`cut without a sign: ${name(el)} “${el.innerText.slice(0, 60)}”`);
				else if (!whole) wrong.push(`cut without a title: ${name(el)} “${el.innerText.slice(0, 60)}”`);
			}
			if (style.overflowY === "hidden" && text && el.scrollHeight > el.clientHeight + 2 && el.clientHeight > 0)
				wrong.push(`cut at its foot: ${name(el)} “${text.slice(0, 60)}”`);
			if (text && box.width > 0 && box.right > root.clientWidth + 1 && !inside(el)) wrong.push(`beyond the edge: ${name(el)} “${text.slice(0, 60)}”`);
			if (el.matches("input:not([type]), input[type=text]") && el.value && box.width < 90 && el.scrollWidth > el.clientWidth + 1)
				wrong.push(`a field too small for “${el.value}”`);
			if (el.matches("button, a.button") && box.height > 0 && text && el.scrollHeight > el.clientHeight + 3)
				wrong.push(`text taller than its button: ${name(el)} “${text.slice(0, 60)}”`);
		}
		const headings = Array.from(document.querySelectorAll("h1")).filter(seen);
		if (headings.length !== 1) wrong.push(`${headings.length} first headings`);
		if (!/ · Daybook$/.test(document.title)) wrong.push(`the title is “${document.title}”`);
		const ids = Array.from(document.querySelectorAll("[id]"), (e) => e.id);
		for (const id of new Set(ids.filter((one, i) => ids.indexOf(one) !== i))) wrong.push(`the id ${id} stands twice`);
		return wrong;
	});

/** Walks with Tab over what takes the focus: each stop must be seen, and show that it has the focus. At most so many stops. */
export async function focusRing(page, most) {
	const wrong = new Set();
	for (let i = 0; i < most; i++) {
		await page.keyboard.press("Tab");
		const found = await page.evaluate(() => {
			const el = document.activeElement;
			if (!el || el === document.body) return "end";
			const style = getComputedStyle(el);
			const ring = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2;
			const label = `<${el.tagName.toLowerCase()} class="${el.className}"> “${(el.innerText || el.ariaLabel || "").slice(0, 40)}”`;
			if (!ring && !el.matches("main, iframe, daybook-viewer")) return `no focus ring: ${label}`;
			const box = el.getBoundingClientRect();
			if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) return `the focus is out of sight: ${label}`;
			return "";
		});
		if (found === "end") break;
		if (found) wrong.add(found);
	}
	return [...wrong];
}
