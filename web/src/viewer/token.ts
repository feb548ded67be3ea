/** What a viewer's token says of itself. Only the server can tell whether that is true. */
export interface Claims {
	org: string;
	features: string[];
	/** In seconds since 1970. */
	exp: number;
	iat: number;
}

/** Reads the middle of a JSON Web Token. */
export function claimsOf(token: string): Claims {
	let c: Record<string, unknown> = {};
	try {
		const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
		c = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (x) => x.charCodeAt(0)))) as Record<string, unknown>;
	} catch {
		// It may be of a form that this version does not know: the server will say so.
	}
	const seconds = (v: unknown): number => (typeof v === "number" ? v : 0);
	return {
		org: typeof c["org"] === "string" ? c["org"] : "",
		features: Array.isArray(c["features"]) ? c["features"].filter((f) => typeof f === "string") : [],
		exp: seconds(c["exp"]),
		iat: seconds(c["iat"]),
	};
}

/** Asks the host for tokens: once for all who wait, and again when four fifths of the last one's time are over. */
export class Tokens {
	private token = "";
	private claims: Claims = claimsOf("");
	private asked: Promise<string> | undefined;
	private refreshAt = 0;

	constructor(
		private readonly source: () => Promise<string>,
		private readonly now: () => number = () => Date.now(),
	) {}

	/** A token, asked for anew when the last one is old, or when spent says that the server refused it. */
	async get(spent?: string): Promise<string> {
		if (this.token !== "" && this.token !== spent && this.now() < this.refreshAt) return this.token;
		this.asked ??= this.ask().finally(() => {
			this.asked = undefined;
		});
		return this.asked;
	}

	private async ask(): Promise<string> {
		const token = (await this.source()).trim();
		if (token === "") throw new Error("the page has no token");
		this.claims = claimsOf(token);
		this.token = token;
		const { exp, iat } = this.claims;
		const from = this.now();
		// By our own clock: how long it lives is what the two times say, not when they are.
		const life = exp > 0 ? (iat > 0 && exp > iat ? (exp - iat) * 1000 : exp * 1000 - from) : 8 * 60_000;
		this.refreshAt = from + Math.max(life * 0.8, 1000);
		return token;
	}

	get says(): Claims {
		return this.claims;
	}
}

/** The tokens of an address of the host's: its answer is the token, or JSON that has it. */
export async function fromAddress(address: string): Promise<string> {
	const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json, text/plain" }, cache: "no-store" });
	if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
	const text = await answer.text();
	if (!text.trimStart().startsWith("{")) return text;
	const body = JSON.parse(text) as { token?: unknown };
	return typeof body.token === "string" ? body.token : "";
}
