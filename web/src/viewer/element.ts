import { member, Num, type Obj, textOf } from "../json/read";
import { writeTarget } from "../query/terms";
import { sentenceOf, type Templates, textOfParts } from "../sentence/render";
import { readTime } from "../verify/leaf";
import type { Store } from "../verify/memory";
import { type Result, Verifier } from "../verify/verifier";
import { Client, type Page, type Question, Refusal } from "./api";
import { details, hint } from "./details";
import { h } from "./dom";
import { fill, type Messages, messagesOf } from "./messages";
import { css } from "./style";
import { fromAddress, Tokens } from "./token";

/** How often new events are looked for, when the token has the feature live. */
const LIVE = 20_000;

/**
 * <daybook-viewer>: what happened in one organization, in another product's page. Attributes: server, token-url, theme, lang, tz, query,
 * target, advanced, height. Property: getToken. Events: daybook-ready, daybook-select, daybook-filter, daybook-error.
 *
 * The token goes into the Authorization header and nowhere else. When it ends and the host has no other, the rows stay.
 */
export class DaybookViewer extends HTMLElement {
	static readonly observedAttributes = ["server", "token-url", "lang", "tz", "query", "target", "advanced", "height"];

	/** Gives a token; without it the address in token-url is asked. */
	declare getToken: (() => Promise<string>) | undefined;

	private readonly root: ShadowRoot;
	private m: Messages = messagesOf("en");
	private client: Client | undefined;
	private tokens: Tokens | undefined;
	private verifier: Verifier | undefined;
	private templates = new Map<string, Templates>();
	private typed = "";
	private period = "now-30d";
	private who = "";
	private entries: Obj[] = [];
	private results = new Map<number, Result>();
	private next = "";
	private page: Page | undefined;
	private busy: AbortController | undefined;
	private problem: Refusal | undefined;
	private fresh: Obj[] = [];
	private opened = "";
	private started = false;
	private timer: ReturnType<typeof setInterval> | undefined;
	private readonly list = h("div", { class: "list", part: "list", tabindex: "0", role: "region" });
	private readonly status = h("footer", { part: "proof", role: "status" });
	private readonly notice = h("div", { role: "alert" });
	private tools = h("header", { part: "toolbar" });

	constructor() {
		super();
		this.root = this.attachShadow({ mode: "open" });
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(css);
		this.root.adoptedStyleSheets = [sheet];
	}

	connectedCallback(): void {
		this.begin();
	}

	disconnectedCallback(): void {
		this.busy?.abort();
		clearInterval(this.timer);
		this.started = false;
	}

	attributeChangedCallback(): void {
		if (this.started) this.begin();
	}

	/** Reads the attributes and begins anew. */
	private begin(): void {
		clearInterval(this.timer);
		this.started = true;
		const lang = this.getAttribute("lang") || document.documentElement.lang || navigator.language;
		this.m = messagesOf(lang);
		this.typed = "";
		this.style.setProperty("block-size", this.getAttribute("height") ?? "");
		const server = (this.getAttribute("server") ?? "").replace(/\/+$/, "");
		const address = this.getAttribute("token-url");
		this.tokens = new Tokens(() => {
			if (this.getToken) return this.getToken();
			return address ? fromAddress(address) : Promise.reject(new Error("daybook-viewer has neither getToken nor token-url"));
		});
		this.client = new Client(server, this.tokens);
		this.verifier = undefined;
		this.results.clear();
		this.tools = this.toolbar();
		this.list.setAttribute("aria-label", this.m.title);
		this.root.replaceChildren(h("div", { class: "root" }, this.tools, this.notice, this.list, this.status));
		void this.start();
	}

	private async start(): Promise<void> {
		try {
			// Without its templates every event still reads by its action.
			this.templates = await (this.client as Client).sentences().catch((e: unknown) => {
				if (e instanceof Refusal && e.status === 401) throw e;
				return new Map<string, Templates>();
			});
		} catch (e) {
			this.fail(e);
			return;
		}
		await this.search();
		const fresh = this.toolbar();
		this.tools.replaceWith(fresh);
		this.tools = fresh;
		this.emit("daybook-ready", {});
		if (this.has("live")) this.timer = setInterval(() => void this.look(), LIVE);
	}

	private has(feature: string): boolean {
		return this.tokens?.says.features.includes(feature) ?? false;
	}

	private emit(name: string, detail: object): void {
		this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
	}

	private get zone(): string {
		const tz = this.getAttribute("tz") ?? "local";
		return tz === "local" || tz === "" ? Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC" : tz;
	}

	// The question.

	private toolbar(): HTMLElement {
		const { m } = this;
		const advanced = this.hasAttribute("advanced");
		const select = (name: string, options: Record<string, string>, value: string, set: (v: string) => void): HTMLElement => {
			const s = h("select", { "aria-label": name, change: (e) => set((e.target as HTMLSelectElement).value) });
			for (const [v, text] of Object.entries(options)) s.append(h("option", { value: v, selected: v === value }, text));
			return s;
		};
		const input = h("input", {
			type: "search",
			"aria-label": m.search,
			placeholder: advanced ? m.advanced : `${m.search}…`,
			autocomplete: "off",
			spellcheck: "false",
		});
		input.value = this.typed;
		input.addEventListener("change", () => {
			this.typed = input.value;
			void this.search();
		});
		const form = h("form", { class: "box", role: "search", submit: (e) => e.preventDefault() }, input);
		return h(
			"header",
			{ part: "toolbar" },
			h("h2", {}, m.title),
			form,
			select(m.period, m.periods, this.period, (v) => {
				this.period = v;
				void this.search();
			}),
			!advanced &&
				select(m.who, m.whos, this.who, (v) => {
					this.who = v;
					void this.search();
				}),
			this.has("export") && h("button", { type: "button", click: (e) => void this.export(e.target as HTMLButtonElement) }, m.export),
		);
	}

	/** What the API is asked: the host's query, the target, and what the person chose. */
	private question(): Question {
		const words = this.typed.trim();
		const own = this.getAttribute("query") ?? "";
		// What is done to the log itself is for operators, unless the host asks for it.
		const parts = [group(own), own.includes("daybook.") || words.includes("daybook.") ? "" : "-action:daybook.*"];
		const target = /^([^:]+):(.+)$/s.exec(this.getAttribute("target") ?? "");
		if (target) parts.push(`target:${writeTarget(target[1] as string, target[2] as string)}`);
		if (this.hasAttribute("advanced")) parts.push(group(words));
		else {
			// Plain words: each is looked for as it is, so that no character of theirs is an operator.
			for (const w of words.split(/\s+/)) if (w !== "") parts.push(`"${w.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);
			parts.push(this.who);
		}
		return { q: parts.filter((p) => p !== "").join(" "), from: this.period, tz: this.zone };
	}

	private async search(): Promise<void> {
		this.busy?.abort();
		const abort = new AbortController();
		this.busy = abort;
		const q = this.question();
		this.list.setAttribute("aria-busy", "true");
		try {
			const page = await (this.client as Client).search(q, "", abort.signal);
			this.entries = page.entries;
			this.fresh = [];
			this.take(page);
			this.list.scrollTop = 0;
		} catch (e) {
			if (!abort.signal.aborted) this.fail(e);
		} finally {
			if (this.busy === abort) this.list.removeAttribute("aria-busy");
		}
		this.emit("daybook-filter", { q: q.q, from: q.from, to: "" });
	}

	private async more(button: HTMLButtonElement): Promise<void> {
		button.disabled = true;
		try {
			const page = await (this.client as Client).search(this.question(), this.next, this.busy?.signal);
			this.entries = [...this.entries, ...page.entries];
			this.take(page);
		} catch (e) {
			button.disabled = false;
			this.fail(e);
		}
	}

	private take(page: Page): void {
		this.page = page;
		this.next = page.next;
		this.problem = undefined;
		this.draw();
		if (this.has("verify")) void this.verify(page.entries);
	}

	/** Looks for what is new; it waits above the list until somebody asks for it. */
	private async look(): Promise<void> {
		if (document.hidden || this.problem) return;
		const newest = seqOf(this.entries[0]);
		try {
			const page = await (this.client as Client).search(this.question(), "", this.busy?.signal);
			this.fresh = page.entries.filter((e) => seqOf(e) > newest);
			if (this.fresh.length > 0) this.draw();
		} catch (e) {
			if (e instanceof Refusal && e.status === 401) this.fail(e);
			// Anything else is tried again.
		}
	}

	private async export(button: HTMLButtonElement): Promise<void> {
		button.disabled = true;
		button.textContent = this.m.exporting;
		try {
			const url = URL.createObjectURL(await (this.client as Client).csv(this.question()));
			const a = h("a", { href: url, download: "activity.csv" });
			a.click();
			setTimeout(() => URL.revokeObjectURL(url), 60_000);
		} catch (e) {
			this.fail(e, this.m.exportFailed);
		}
		button.disabled = false;
		button.textContent = this.m.export;
	}

	// Verifying.

	private async verify(entries: Obj[]): Promise<void> {
		let store: Store | undefined;
		try {
			store = localStorage;
		} catch {
			// The host's page may forbid it: what is pinned lasts as long as the page.
		}
		this.verifier ??= new Verifier(this.client as Client, this.tokens?.says.org ?? "", store);
		this.say("", this.m.verifying);
		try {
			for (const [seq, r] of await this.verifier.entries(entries, this.busy?.signal)) this.results.set(seq, r);
			this.proof();
		} catch {
			this.say("", ""); // another search has begun
		}
	}

	private say(kind: string, text: string): void {
		this.status.replaceChildren(h("span", { class: kind }, text));
		this.status.hidden = text === "";
	}

	/** One line for all that is shown. */
	private proof(): void {
		const all = this.entries.map((e) => this.results.get(seqOf(e))).filter((r) => r !== undefined);
		const bad = this.entries.filter((e) => this.results.get(seqOf(e))?.state === "failed");
		const doubt = all.find((r) => r.state === "unknown");
		if (bad.length > 0) {
			const n = Math.min(...bad.map(seqOf));
			this.say("", "");
			this.notice.replaceChildren(h("div", { class: "note alarm" }, `✗ ${fill(this.m.verifyFailed, { n: this.number(n) })}`));
			this.emit("daybook-error", { code: "integrity_failed", seq: n });
		} else if (doubt) this.say("", `◌ ${fill(this.m.cannotVerify, { why: doubt.findings[0]?.message ?? "" })}`);
		else if (all.length > 0) this.say("ok", `✓ ${fill(this.m.verified, { n: this.number(Math.max(...this.entries.map(seqOf))) })}`);
		else this.say("", "");
	}

	// What is shown.

	private fail(e: unknown, text?: string): void {
		const r = e instanceof Refusal ? e : new Refusal(0, "unexpected", e instanceof Error ? e.message : String(e));
		this.problem = r;
		const known = { 0: this.m.offline, 401: this.m.ended, 403: this.m.forbidden }[r.status];
		const retry = r.status !== 401 && h("button", { type: "button", click: () => void this.search() }, this.m.retry);
		this.notice.replaceChildren(h("div", { class: "note" }, h("span", {}, text ?? known ?? r.message), retry));
		this.emit("daybook-error", { code: r.status === 401 ? "session_ended" : r.code });
	}

	private draw(): void {
		const { m } = this;
		if (!this.problem) this.notice.replaceChildren();
		const parts: Node[] = [];
		if (this.fresh.length > 0) {
			parts.push(h("button", { type: "button", class: "more", click: () => void this.search() }, fill(m.fresh, { n: this.fresh.length })));
		}
		let day = "";
		let rows: HTMLElement | undefined;
		for (const e of this.entries) {
			const at = timeOf(e);
			const label = this.day(at);
			if (!rows || label !== day) {
				day = label;
				rows = h("ol");
				parts.push(h("h3", {}, h("span", {}, label), parts.length === 0 && h("span", {}, this.zoneName(at))), rows);
			}
			rows.append(this.row(e, at));
		}
		if (this.entries.length === 0) {
			const asked = this.typed !== "" || this.who !== "";
			const clear = asked && h("button", { type: "button", click: () => this.clear() }, m.clear);
			parts.push(h("p", { class: "quiet", part: "empty" }, asked ? m.noMatch : m.noEvents, clear));
		}
		const { partial } = this.page ?? {};
		if (partial) parts.push(h("p", { class: "quiet" }, fill(m.partial, { days: partial.days, of: partial.of })));
		if (this.next !== "") parts.push(h("button", { type: "button", class: "more", click: (e) => void this.more(e.target as HTMLButtonElement) }, m.more));
		const focused = this.root.activeElement?.id ?? "";
		this.list.replaceChildren(...parts);
		if (focused !== "") this.root.getElementById(focused)?.focus();
	}

	private clear(): void {
		this.typed = "";
		this.who = "";
		const tools = this.toolbar();
		this.tools.replaceWith(tools);
		this.tools = tools;
		void this.search();
	}

	private row(e: Obj, at: Date): HTMLElement {
		const id = textOf(e, "id");
		const open = id !== "" && id === this.opened;
		const text = h("span", { class: "say" });
		const version = e.get("version");
		const templates = this.templates.get(`${textOf(e, "action")} ${version instanceof Num ? version.text : "1"}`);
		const parts = sentenceOf(e, templates, undefined, this.m.words);
		const outcome = parts.find((p) => p.kind === "outcome");
		if (outcome) {
			const denied = textOf(e, "outcome") === "denied";
			text.append(h("span", { class: "bad" }, `${denied ? "⊘" : "✕"} ${denied ? this.m.denied : this.m.failed}: `));
		}
		for (const p of parts) if (p.kind !== "outcome") text.append(p.kind === "actor" ? h("b", {}, p.text) : p.text);
		if (parts.length === 0) text.append(member(e, "removed") === undefined ? textOf(e, "op") : "▒");
		const small = hint(e);
		const time = new Intl.DateTimeFormat(this.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: this.zone }).format(at);
		const button = h(
			"button",
			{ type: "button", class: "row", part: "row", id: `row-${id}`, "aria-expanded": String(open), title: textOfParts(parts), click: () => this.toggle(id) },
			h("time", { datetime: at.toISOString() }, time),
			text,
			small !== "" && !open && h("span", { class: "hint" }, small),
		);
		return h("li", {}, button, open && h("div", { class: "drawer", part: "drawer" }, details(e, this.m)));
	}

	private toggle(id: string): void {
		this.opened = this.opened === id ? "" : id;
		this.draw();
		if (this.opened !== "") this.emit("daybook-select", { id });
	}

	private number(n: number): string {
		return new Intl.NumberFormat(this.language).format(n);
	}

	private get language(): string {
		return this.m === messagesOf("de") ? "de" : "en-GB";
	}

	private day(at: Date): string {
		const form = new Intl.DateTimeFormat(this.language, { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: this.zone });
		const label = form.format(at);
		const now = Date.now();
		if (label === form.format(now)) return this.m.today;
		return label === form.format(now - 86_400_000) ? this.m.yesterday : label;
	}

	private zoneName(at: Date): string {
		if (this.zone === "UTC") return "UTC";
		const parts = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, timeZoneName: "shortOffset" }).formatToParts(at);
		return (parts.find((p) => p.type === "timeZoneName")?.value ?? this.zone).replace("GMT", "UTC");
	}
}

/** The query as one operand of an AND. */
function group(q: string): string {
	const text = q.trim();
	return /\bOR\b/.test(text) ? `(${text})` : text;
}

function seqOf(e: Obj | undefined): number {
	const seq = e?.get("seq");
	return seq instanceof Num ? Number(seq.text) : -1;
}

/** When it happened, else when it was received. */
function timeOf(e: Obj): Date {
	const text = textOf(e, "occurred_at") || textOf(e, "received_at");
	const us = readTime(text);
	return us === undefined ? new Date(text || 0) : new Date(Number(us / 1000n));
}
