import { createServer } from "node:http";
import { hostile } from "./hostile.mjs";

/** A product with a page of its own, a strict policy, and a backend that makes tokens. */
async function host({ api, url }, org, more = {}) {
	let minted = 0;
	let refuse = false;
	const server = createServer(async (request, response) => {
		if (request.url === "/token") {
			if (refuse) return response.writeHead(401).end();
			minted++;
			const made = await api(
				"POST",
				"/v1/viewer-tokens",
				{
					viewer: { type: "user", id: "cus_9", name: "Lin Wu" },
					features: ["export", "verify"],
					origin: more.frame ? url : `http://localhost:${server.address().port}`,
					hide: ["/actor/email"],
					...more.token,
				},
				org,
			).catch(() => ({ token: "none" }));
			return response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(made));
		}
		if (request.url === "/host.js") {
			return response.writeHead(200, { "Content-Type": "text/javascript" }).end(`
				const frame = document.querySelector("iframe");
				addEventListener("message", async (e) => {
					if (e.origin !== ${JSON.stringify(url)}) return;
					window.said = [...(window.said ?? []), e.data.type];
					if (e.data.type === "daybook:ready") frame.contentWindow.postMessage({ type: "daybook:token", token: (await (await fetch("/token")).json()).token }, e.origin);
					if (e.data.type === "daybook:height") frame.height = e.data.px;
				});
				document.addEventListener("daybook-error", (e) => (window.error = e.detail.code));
				document.addEventListener("daybook-select", (e) => (window.selected = e.detail.id));`);
		}
		const policy = `default-src 'none'; script-src 'self' ${url}; connect-src 'self' ${url}; style-src 'self'; frame-src ${url}; img-src data:`;
		const body = more.frame
			? `<iframe src="${url}/viewer?lang=en" title="Activity" width="900"></iframe>`
			: `<daybook-viewer server="${url}" token-url="/token" lang="en" tz="UTC" height="46rem"></daybook-viewer><script type="module" src="${url}/viewer/v1.js"></script>`;
		response
			.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy })
			.end(
				`<!doctype html><html lang="en"><title>Product</title><link rel="icon" href="data:,"><main><h1>Product</h1>${body}</main><script type="module" src="/host.js"></script></html>`,
			);
	});
	await new Promise((done) => server.listen(0, "127.0.0.1", done));
	const origin = `http://localhost:${server.address().port}`;
	// Other stories name theirs at the same time, and the last one wins: so look again.
	const own = more.origins ?? [origin];
	for (let known = []; !own.every((o) => known.includes(o)); ) {
		const { origins } = await api("GET", "/v1/viewer-settings", undefined, org);
		if (!own.every((o) => origins.includes(o))) await api("PUT", "/v1/viewer-settings", { origins: [...origins, ...own] }, org);
		await new Promise((done) => setTimeout(done, 200));
		known = (await api("GET", "/v1/viewer-settings", undefined, org)).origins;
	}
	return { origin, close: () => server.close(), minted: () => minted, refuse: () => (refuse = true) };
}

export default [
	{
		name: "element",
		failures: ["/token", "/v1/"],
		async run(kit) {
			const { page, expect, shot } = kit;
			const product = await host(kit, "org_acme");
			try {
				await page.goto(product.origin);
				await page.waitForSelector("daybook-viewer .row");
				await page.waitForSelector("daybook-viewer footer .ok");
				await shot("rows");
				await page.click("daybook-viewer .row >> nth=0");
				await page.waitForSelector("daybook-viewer .drawer dl");
				expect(/^evt_/.test(await page.evaluate(() => window.selected)), "daybook-select does not say which");
				await shot("open");
				await page.fill("daybook-viewer input[type=search]", 'no"thing (like OR this');
				await page.keyboard.press("Enter");
				await page.waitForSelector("daybook-viewer .quiet");
				await page.click("daybook-viewer .quiet button");
				await page.waitForSelector("daybook-viewer .row");
				const before = await page.locator("daybook-viewer .row").count();
				// The host's session ends: the rows stay.
				product.refuse();
				await page.route("**/v1/events**", (route) => route.fulfill({ status: 401, body: "{}", headers: { "Access-Control-Allow-Origin": product.origin } }));
				await page.selectOption("daybook-viewer select >> nth=0", "now-7d");
				await page.waitForSelector("daybook-viewer .note >> text=Session ended");
				expect((await page.locator("daybook-viewer .row").count()) === before, "the rows went with the session");
				expect((await page.evaluate(() => window.error)) === "session_ended", "the page was not told");
			} finally {
				product.close();
			}
		},
	},
	{
		name: "wrong-origin",
		failures: ["/token", "/v1/"],
		async run(kit) {
			const { page } = kit;
			const product = await host(kit, "org_globex", { origins: ["https://app.acme.com"], token: { origin: "https://app.acme.com" } });
			try {
				await page.goto(product.origin);
				await page.waitForSelector("daybook-viewer .note");
			} finally {
				product.close();
			}
		},
		axe: false,
	},
	{
		name: "frame",
		async run(kit) {
			const { api, page, expect } = kit;
			const events = hostile.map((text) => ({
				action: "hostile.tried",
				actor: { type: "user", id: text.slice(0, 200), name: text },
				targets: [{ type: "thing", id: text.slice(0, 200), name: text }],
				changes: [{ path: "/note", old: text, new: `${text}!` }],
			}));
			await api("POST", "/v1/events", events, "org_initech");
			const product = await host(kit, "org_initech", { frame: true });
			try {
				await page.goto(product.origin);
				await page.frameLocator("iframe").locator("daybook-viewer .row").nth(5).waitFor();
				const made = await page
					.frameLocator("iframe")
					.locator("daybook-viewer")
					.evaluate((el) => [el.shadowRoot.querySelectorAll("script, img, style, iframe").length, el.scrollWidth > el.clientWidth + 1]);
				expect(made[0] === 0 && !made[1], `the viewer made ${made[0]} elements of text, or grew wider: ${made[1]}`);
				await page.waitForFunction(() => Number(document.querySelector("iframe").height) > 200);
				expect((await page.evaluate(() => window.said)).includes("daybook:ready"), "the frame did not ask");
			} finally {
				product.close();
			}
		},
	},
];
