// Two organizations: with a key of one of them every place of the other, and every thing of the other at a place of one's own, looks like
// what was never there; with a key for all of them a thing of one organization is not in another.
const routes = [
	"",
	"/start",
	"/events",
	"/timelines",
	"/views",
	"/exports",
	"/integrity",
	"/settings/schemas",
	"/settings/retention",
	"/settings/keys",
	"/settings/viewer",
];

/** Things of org_globex, and a key of org_initech. Anew for each story: what one records the other must not find. */
async function sample(api) {
	const secret = `Globex ${Math.random().toString(36).slice(2)}`;
	const event = {
		action: "secret.kept",
		actor: { type: "user", id: "usr_secret", name: secret },
		targets: [{ type: "secret", id: "s1", name: secret }],
		before: { a: 1 },
		after: { a: 2 },
	};
	const { id } = await api("POST", "/v1/events", event, "org_globex");
	const view = await api("POST", "/v1/views", { name: secret, search: "q=x", shared: true }, "org_globex");
	const file = await api("POST", "/v1/exports", { query: "action:secret.kept", format: "csv" }, "org_globex");
	await api("POST", "/v1/actions/secret.kept/schemas", { sentence: `{actor} kept ${secret}` }, "org_globex");
	return { secret, event: id, view: view.slug, file: file.id };
}

/** Places where things of an organization stand, and what is there when they are not of this one. */
const things = ({ event, view, file }) => ({
	[`/events/${event}`]: ".empty",
	[`/events?range=all&sel=${event}`]: ".drawer .empty",
	"/targets/secret/s1": ".empty",
	"/targets/secret/s1/versions": ".empty",
	"/actors/user/usr_secret": ".empty",
	[`/views/${view}`]: ".empty",
	[`/exports/${file}`]: "dialog .banner.danger",
	"/settings/schemas?action=secret.kept": ".banner, .empty, .muted",
});

/** Routes of the API that name a thing. */
const asked = ({ event, view, file }) => [
	`/v1/events/${event}`,
	`/v1/events/${event}/around`,
	"/v1/targets/secret/s1/versions",
	`/v1/views/${view}`,
	`/v1/exports/${file}`,
	"/v1/actions/secret.kept/schemas/1",
	`/v1/organizations/org_globex/log/proof/${event}.tlog-proof`,
];

export default [
	{
		name: "key-of-one",
		failures: ["/v1/"],
		async run({ api, open, page, context, url, expect }) {
			const made = await sample(api);
			const { key } = await api(
				"POST",
				"/v1/keys",
				{ name: "of initech", scopes: ["record", "read", "export", "viewer", "manage"], org: "org_initech" },
				"org_initech",
			);
			await context.clearCookies();
			const signed = await context.request.post(`${url}/v1/session`, { data: { api_key: key }, headers: { Origin: url } });
			expect(signed.status() === 204, `sign in: ${signed.status()}`);
			const shown = [];
			page.on("response", async (r) => shown.push(await r.text().catch(() => "")));
			// Every place of the other organization.
			for (const path of [...routes, ...Object.keys(things(made))]) {
				await open(`/o/org_globex${path}`);
				await page.waitForSelector("main .empty h1");
				const words = await page.innerText("body");
				expect(/There is nothing here/.test(words) && !words.includes(made.secret) && !words.includes("Globex"), `${path} shows ${words.slice(0, 300)}`);
			}
			// Its things at a place of one's own.
			for (const [path, ready] of Object.entries(things(made))) {
				await open(`/o/org_initech${path}`);
				await page.waitForSelector(ready);
				expect(!(await page.innerText("body")).includes(made.secret), `${path} shows what is another's`);
			}
			expect(!shown.some((text) => text.includes(made.secret)), "an answer held what is another's");
			for (const path of asked(made)) {
				for (const org of ["org_globex", "org_initech"]) {
					const answer = await fetch(url + path, { headers: { Authorization: `Bearer ${key}`, "Daybook-Org": org } });
					const text = await answer.text();
					const none = answer.status === 404 || (answer.status === 200 && /"versions":\[\]/.test(text));
					expect(none && !text.includes(made.secret), `${path} for ${org} answers ${answer.status} ${text.slice(0, 200)}`);
				}
			}
		},
	},
	{
		name: "key-of-all",
		failures: ["/v1/"],
		async run({ api, open, page, url, key, expect }) {
			const made = await sample(api);
			for (const [path, ready] of Object.entries(things(made))) {
				await open(`/o/org_initech${path}`);
				await page.waitForSelector(ready);
				expect(!(await page.innerText("body")).includes(made.secret), `${path} shows what is of another organization`);
			}
			await open("/o/org_nobody/events");
			await page.waitForSelector("main .empty h1");
			for (const path of asked(made).filter((p) => !p.includes("org_globex"))) {
				const answer = await fetch(url + path, { headers: { Authorization: `Bearer ${key}`, "Daybook-Org": "org_initech" } });
				const text = await answer.text();
				const none = answer.status === 404 || (answer.status === 200 && /"versions":\[\]/.test(text));
				expect(none && !text.includes(made.secret), `${path} answers ${answer.status} ${text.slice(0, 200)}`);
			}
		},
	},
];
