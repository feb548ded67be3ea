import { type Json, member, type Obj, textOf } from "../json/read";
import { type Piece, parseTemplate } from "./parse";
import { GONE, plainText, readSide, sideText } from "./value";
import { shorten } from "./visible";
import english from "./words.json";

/** The words that sentences are made of. participles: what a language says of a target in place of the English verbs. */
export type Words = Omit<typeof english, "verbs"> & { participles?: Record<string, string> };

/** outcome is " – failed" or " – denied", when the template does not say so itself: a row that has its own mark for it leaves it out. */
export type Kind = "text" | "actor" | "target" | "value" | "outcome";

export interface Part {
	kind: Kind;
	text: string;
}

/** The templates of a schema version, as the server sends them. What cannot be parsed counts as missing: an event must always read. */
export interface Templates {
	sentence?: string | undefined;
	sentence_failure?: string | undefined;
	sentence_denied?: string | undefined;
}

/** JSON pointers of what is erased or hidden; unnamed: more is, and nobody knows what. */
export interface Gone {
	paths: readonly string[];
	unnamed: boolean;
}

/** What is gone of an entry as the API sends it. */
export function goneOf(entry: Json): Gone {
	const paths: string[] = [];
	for (const list of ["erased_fields", "hidden_fields"]) {
		const found = member(entry, list);
		if (Array.isArray(found)) for (const p of found) if (typeof p === "string") paths.push(p);
	}
	const erased = member(entry, "erased_fields");
	return { paths, unnamed: Array.isArray(erased) && erased.length === 0 };
}

/** The sentence of an entry: what it says, in parts. It never fails: what is missing is left out, what is erased is ▒. */
export function sentenceOf(entry: Json, templates: Templates = {}, gone: Gone = goneOf(entry), words: Words = english): Part[] {
	const outcome = textOf(entry, "outcome");
	let own = parsed(templates.sentence);
	let suffix = "";
	if (outcome === "failure" || outcome === "denied") {
		const special = parsed(outcome === "failure" ? templates.sentence_failure : templates.sentence_denied);
		if (special) own = special;
		else suffix = outcome === "failure" ? words.failed : words.denied;
	}
	const w = new Writer(entry, gone, words);
	if (own) w.pieces(own);
	else w.byAction();
	return w.end(suffix);
}

export function textOfParts(parts: readonly Part[]): string {
	return parts.map((p) => p.text).join("");
}

/** The actor when the sentence begins with it, and the rest: two columns of a table. */
export function halves(parts: readonly Part[], words: Words = english): { who: string; what: readonly Part[] } {
	const [first, ...rest] = parts;
	if (first?.kind !== "actor") return { who: "", what: parts };
	const next = rest[0];
	if (!next) return { who: first.text, what: [] };
	const text = next.text.replace(words.participles ? /^[ :·]+/ : /^[ ·]+/, "");
	return { who: first.text, what: text === "" ? rest.slice(1) : [{ kind: next.kind, text }, ...rest.slice(1)] };
}

const cache = new Map<string, Piece[] | undefined>();

function parsed(text: string | undefined): Piece[] | undefined {
	if (!text) return undefined;
	if (!cache.has(text)) {
		if (cache.size > 1000) cache.clear();
		let pieces: Piece[] | undefined;
		try {
			pieces = parseTemplate(text);
		} catch {
			// A server of another version may accept more: the event reads by its action.
		}
		cache.set(text, pieces);
	}
	return cache.get(text);
}

const verbs = new Set(english.verbs);

/** The past verb that an action ends in, for people. */
function verbOf(action: string): string | undefined {
	const dot = action.lastIndexOf(".");
	const verb = action.slice(dot + 1).replaceAll("_", " ");
	return dot >= 0 && verbs.has(verb) ? verb : undefined;
}

class Writer {
	private readonly out: Part[] = [];
	private readonly targetList: readonly Json[];
	private readonly changes: readonly Obj[];

	constructor(
		private readonly entry: Json,
		private readonly gone: Gone,
		private readonly words: Words,
	) {
		const targets = member(entry, "targets");
		this.targetList = Array.isArray(targets) ? targets : [];
		const changes = member(entry, "changes");
		this.changes = Array.isArray(changes) ? changes.filter((c): c is Obj => c instanceof Map) : [];
	}

	byAction(): void {
		this.add("actor", this.actor());
		const verb = verbOf(textOf(this.entry, "action"));
		const name = this.target();
		const { participles } = this.words;
		if (verb !== undefined && !participles) {
			this.add("text", ` ${verb}`);
			if (name !== "") this.add("text", " ");
			this.add("target", name);
		} else if (verb !== undefined && participles && Object.hasOwn(participles, verb)) {
			this.add("text", ": ");
			this.add("target", name);
			this.add("text", `${name === "" ? "" : " "}${participles[verb]}`);
		} else {
			this.add("text", " · ");
			this.add("value", this.action());
			if (name !== "") this.add("text", " · ");
			this.add("target", name);
		}
	}

	/** White space never doubles where something was left out. */
	private add(kind: Kind, text: string): void {
		const last = this.out.at(-1);
		if (kind === "text" && (!last || (last.kind === "text" && last.text.endsWith(" ")))) text = text.replace(/^ +/, "");
		if (text === "") return;
		if (kind === "text" && last?.kind === "text") last.text += text;
		else this.out.push({ kind, text });
	}

	end(suffix: string): Part[] {
		const last = this.out.at(-1);
		if (last?.kind === "text") {
			last.text = last.text.replace(/ +$/, "");
			if (last.text === "") this.out.pop();
		}
		if (suffix !== "") this.out.push({ kind: "outcome", text: suffix });
		return this.out;
	}

	pieces(all: readonly Piece[]): void {
		for (const p of all) {
			if (p.what === "literal") this.add("text", p.text);
			else if (p.what !== "group") this.add(...this.value(p));
			else if (p.pieces.every((q) => q.what === "literal" || this.value(q)[1] !== "")) this.pieces(p.pieces);
		}
	}

	/** What a placeholder stands for; empty: the event does not say. */
	private value(p: Piece): [Kind, string] {
		switch (p.what) {
			case "actor":
				return ["actor", this.actor()];
			case "target":
				return ["target", this.target()];
			case "targets":
				return ["target", this.targets()];
			case "changed":
				return ["value", p.path === undefined ? this.changed() : this.changedAt(p.path)];
			case "meta":
				return ["value", this.meta(p.keys)];
			case "reason":
				return ["value", this.or(shorten(textOf(this.entry, "reason")), "/reason")];
			case "error.code":
				return ["value", this.or(shorten(textOf(this.entry, "error", "code")), "/error/code")];
			case "action":
				return ["value", this.action()];
			case "literal":
			case "group":
				return ["text", ""];
		}
	}

	/** The text, or the mark of what is gone when it is empty because the member at path is. */
	private or(text: string, path: string): string {
		if (text !== "") return text;
		const at = (p: string): boolean => p === path || p.startsWith(`${path}/`) || path.startsWith(`${p}/`);
		return this.gone.unnamed || this.gone.paths.some(at) ? GONE : "";
	}

	private action(): string {
		return this.or(shorten(textOf(this.entry, "action")), "/action");
	}

	/** Who acted; the person behind an impersonation comes first. */
	private actor(): string {
		const actor = member(this.entry, "actor");
		const name = this.or(nameOf(actor), "/actor") || this.words.nobody;
		const all = member(actor, "via");
		const via = Array.isArray(all) ? all[0] : undefined;
		if (via === undefined) return name;
		const behind = this.or(nameOf(via), "/actor/via") || this.words.nobody;
		return textOf(via, "type") === "user" ? behind + this.words.as + name : name + this.words.via + behind;
	}

	private target(): string {
		const first = this.targetList[0];
		return first === undefined ? this.or("", "/targets") : this.targetName(first);
	}

	private targetName(t: Json): string {
		const name = textOf(t, "name");
		if (name !== "") return shorten(name);
		return this.or(shorten(`${textOf(t, "type")} ${textOf(t, "id")}`.replace(/^ +| +$/g, "")), "/targets");
	}

	private targets(): string {
		const all = this.targetList;
		const [a, b, c] = all;
		if (a === undefined || b === undefined) return this.target();
		const first = this.targetName(a);
		const second = this.targetName(b);
		if (c === undefined) return first + this.words.and + second;
		const rest = all.length === 3 ? this.targetName(c) : `${all.length - 2}${this.words.more}`;
		return `${first}, ${second}${this.words.and}${rest}`;
	}

	private changed(): string {
		const first = this.changes[0];
		return first ? this.named(textOf(first, "path"), this.changes.length - 1) : this.or("", "/changes");
	}

	/** A path for people, and how many more there are. */
	private named(path: string, more: number): string {
		const name = path === "" ? this.words.everything : shorten(path.replace(/^\//, "").replaceAll("~1", "/").replaceAll("~0", "~"));
		return more > 0 ? `${name}${this.words.and}${more}${this.words.more}` : name;
	}

	/** The change of path itself, else the names of what changed below it. */
	private changedAt(path: string): string {
		const below: string[] = [];
		for (const c of this.changes) {
			const at = textOf(c, "path");
			if (at === path) return `${sideText(readSide(c.get("old")))} → ${sideText(readSide(c.get("new")))}`;
			if (at.startsWith(`${path}/`)) below.push(at.slice(path.length));
		}
		return below.length > 0 ? this.named(below[0] as string, below.length - 1) : this.or("", "/changes");
	}

	private meta(keys: readonly string[]): string {
		const value = member(this.entry, "metadata", ...keys);
		if (value === undefined || value === null) {
			return this.or("", `/metadata/${keys.map((k) => k.replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`);
		}
		return shorten(plainText(value));
	}
}

function nameOf(actor: Json | undefined): string {
	return shorten(textOf(actor, "name") || textOf(actor, "email") || textOf(actor, "id"));
}
