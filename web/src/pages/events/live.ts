// The live tail. It resumes after the last entry it saw, so a broken connection loses nothing; nothing is sampled.
import { signal } from "@preact/signals";
import { Problem, send } from "../../api/client";
import { parseJSON } from "../../api/json";
import type { Entry } from "../../api/types";

/** on: connected. paused: the connection broke and is tried again. */
export type LiveState = "off" | "on" | "paused";

/** Entries that are kept for the pill. Beyond them the list must be read anew, and says so. */
const most = 2000;

/** One run of the tail. */
export class Live {
	readonly state = signal<LiveState>("off");
	/** Entries that are not shown yet, the newest first. */
	readonly waiting = signal<Entry[]>([]);
	/** More came than are kept. */
	readonly overrun = signal(false);
	/** The seq up to which the log was read. */
	private last: number;
	private readonly abort = new AbortController();
	private wait = 500;

	constructor(
		private readonly org: string,
		private readonly query: string,
		private readonly tz: string,
		size: number,
	) {
		this.last = size - 1;
	}

	get position(): number {
		return this.last;
	}

	/** Follows until close. */
	async run(): Promise<void> {
		while (!this.abort.signal.aborted) {
			try {
				const answer = await send("/v1/events/tail", {
					org: this.org,
					params: { q: this.query, tz: this.tz, from_seq: this.last < 0 ? 0 : undefined },
					headers: this.last < 0 ? {} : { "Last-Event-ID": String(this.last) },
					signal: this.abort.signal,
				});
				this.state.value = "on";
				this.wait = 500;
				await this.read(answer);
			} catch (error) {
				if (this.abort.signal.aborted) return;
				if (error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429) {
					this.state.value = "off";
					return;
				}
			}
			this.state.value = "paused";
			await new Promise((done) => setTimeout(done, this.wait));
			this.wait = Math.min(this.wait * 2, 15_000);
		}
	}

	/** Hands the waiting entries over. */
	take(): Entry[] {
		const entries = this.waiting.value;
		this.waiting.value = [];
		return entries;
	}

	close(): void {
		this.abort.abort();
		this.state.value = "off";
	}

	private async read(answer: Response): Promise<void> {
		const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
		if (!reader) return;
		let rest = "";
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			rest += value;
			const parts = rest.split("\n\n");
			rest = parts.pop() ?? "";
			const fresh = parts.map((p) => this.event(p)).filter((e): e is Entry => e !== undefined);
			if (fresh.length > 0) this.add(fresh);
		}
	}

	private event(text: string): Entry | undefined {
		let kind = "";
		let data = "";
		for (const line of text.split("\n")) {
			if (line.startsWith("id: ")) this.last = Math.max(this.last, Number(line.slice(4)));
			else if (line.startsWith("event: ")) kind = line.slice(7);
			else if (line.startsWith("data: ")) data += line.slice(6);
		}
		return kind === "entry" ? (parseJSON(data) as unknown as Entry) : undefined;
	}

	private add(fresh: Entry[]): void {
		const all = [...fresh.reverse(), ...this.waiting.value];
		if (all.length > most) this.overrun.value = true;
		this.waiting.value = all.slice(0, most);
	}
}
