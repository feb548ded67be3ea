const parts = { targets: [{ type: "invoice" }], metadata: { type: "object", properties: { amount: { type: "string" } } } };

/** An action with a schema of two versions, of its own for each story and theme. */
async function registered(api, theme, name) {
	const action = `${name}_${theme}.updated`;
	const body = { ...parts, sentence: "{actor} changed {changed} of {target}[ because of {reason}]", sentence_denied: "{actor} may not change {target}" };
	await api("POST", `/v1/actions/${action}/schemas`, { ...parts, sentence: "{actor} touched {target}" });
	await api("POST", `/v1/actions/${action}/schemas`, body);
	return action;
}

export default [
	{
		name: "list",
		async run({ api, open, page, theme, expect, shot }) {
			const action = await registered(api, theme, "listed");
			await open("/o/org_acme/settings/schemas");
			await page.click(`.table a >> text=${action}`);
			await page.waitForSelector(".schema-preview li");
			expect(/Ada Byron changed amount of .* because of a discount/.test(await page.innerText(".schema-preview")), "the preview does not read");
			expect(page.url().includes(`action=${action}`), "the action is not in the address");
			await page.waitForFunction(() => document.querySelectorAll(".schema-one option").length === 2);
			await page.selectOption(".schema-one select", "1");
			await page.waitForFunction(() => document.querySelector(".schema-preview").innerText.includes("touched"));
			await page.goBack();
			await page.waitForFunction(() => document.querySelector(".schema-preview").innerText.includes("because of"));
			await shot("newest");
		},
	},
	{
		name: "counts",
		async run({ api, open, page, theme, expect, shot }) {
			const action = await registered(api, theme, "counted");
			const event = (id) => ({
				action,
				actor: { type: "user", id: "usr_1", name: "Ada Byron" },
				targets: [{ type: "invoice", id }],
				metadata: { amount: "1" },
			});
			for (const id of ["1", "2"]) await api("POST", "/v1/events", event(id));
			await open("/o/org_acme/settings/schemas");
			const row = page.locator("tr", { hasText: action });
			await row.locator("text=2 events").waitFor();
			const href = await row.locator("a >> text=2 events").getAttribute("href");
			expect(href.includes(encodeURIComponent(`action:${action}`)) && href.includes("from=now-30d"), `it leads to ${href}`);
			// What was cut off is said, and what is not as its schema says has a way to it.
			await page.route("**/v1/facets?**", async (route) => {
				const answer = await route.fetch();
				const body = await answer.json();
				body.searched = { ...body.searched, complete: false, days: 14, of_days: 30, reason: "time" };
				if (route.request().url().includes("flagged")) body.facets.action.values = [{ value: action, count: 3, excess: 0 }];
				await route.fulfill({ response: answer, json: body });
			});
			await page.reload();
			await row.locator("a.warn >> text=3 not as their schema says").waitFor();
			await page.waitForSelector("text=Counted over 14 of 30 days");
			await shot("partial");
		},
	},
	{
		name: "new-version",
		failures: ["/schemas"],
		async run({ api, open, page, theme, expect, shot }) {
			const action = await registered(api, theme, "made");
			await open(`/o/org_acme/settings/schemas?action=${action}`);
			await page.click("text=New version");
			const area = page.locator("dialog textarea");
			await area.fill('{"metadata": {"type": }}');
			await page.waitForSelector("dialog .field-error >> text=Line 1, column 23");
			expect(await page.locator("dialog .button.primary").isDisabled(), "what is no JSON can be sent");
			// The server says what is no schema, and it stands at the text.
			await area.fill('{"metadata": {"type": "nothing"}}');
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog .field-error >> text=/metadata");
			await page.fill("dialog input >> nth=0", "{actor} sent {tarket}");
			await page.waitForSelector("dialog .field-error >> text={target}");
			await shot("wrong");
			await area.fill(JSON.stringify({ targets: [{ type: "invoice" }] }));
			await page.fill("dialog input >> nth=0", "{actor} sent {target}");
			await page.waitForFunction(() => document.querySelector("dialog .schema-preview").innerText.includes("Ada Byron sent"));
			await page.click("dialog .button.primary");
			await page.waitForSelector("dialog", { state: "detached" });
			await page.waitForFunction(() => document.querySelector(".schema-one select")?.value === "3");
			const { schemas } = await api("GET", `/v1/actions/${action}/schemas`);
			expect(schemas[0].sentence === "{actor} sent {target}" && schemas[0].sentence_denied === "{actor} may not change {target}", "not what was typed");
		},
	},
	{
		name: "unreachable",
		failures: ["/v1/actions"],
		async run({ open, page }) {
			await page.route("**/v1/actions?**", (route) => route.abort());
			await open("/o/org_globex/settings/schemas");
			await page.waitForSelector(".banner.danger");
			await page.unroute("**/v1/actions?**");
			await page.click("text=Retry");
			await page.waitForSelector(".empty");
		},
	},
];
