// Times: every absolute one with its zone, a relative one only beside it.
import { language, t } from "../messages/messages";

/** The zone a page shows times in: the parameter tz, or UTC. "local" is the browser's. */
export function zoneOf(tz: string): string {
	if (tz === "local") {
		local ??= Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
		return local;
	}
	return tz || "UTC";
}

let local: string | undefined;

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
	const key = `${language.value} ${zone} ${JSON.stringify(options)}`;
	let found = formats.get(key);
	if (!found) {
		try {
			found = new Intl.DateTimeFormat(language.value === "en" ? "en-GB" : language.value, { ...options, timeZone: zone });
		} catch {
			found = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" });
		}
		formats.set(key, found);
	}
	return found;
}

/** A time for a row: day, month and time, with the year when it is not this one. */
export function shortTime(iso: string, zone: string): string {
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return "–"; // of an entry of which the hash alone is left
	const year: Intl.DateTimeFormatOptions = at.getUTCFullYear() === new Date().getUTCFullYear() ? {} : { year: "numeric" };
	const day = format(zone, { day: "2-digit", month: "short", ...year }).format(at);
	const time = format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(at);
	return `${day} ${time}`;
}

/** From one time to another: the day stands once when it is the same. */
export function period(from: string, to: string, zone: string): string {
	const clock = format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
	const day = format(zone, { day: "numeric", month: "numeric", year: "numeric" });
	const [a, b] = [new Date(from), new Date(to)];
	if (day.format(a) === day.format(b)) return `${clock.format(a)}–${clock.format(b)}`;
	return `${shortTime(from, zone)} – ${shortTime(to, zone)}`;
}

/** The time of day. */
export function clock(iso: string, zone: string): string {
	return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(new Date(iso));
}

/** A time in full, to the millisecond, with its zone. */
export function fullTime(iso: string, zone: string): string {
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return "–";
	const day = format(zone, { day: "numeric", month: "short", year: "numeric" }).format(at);
	const time = format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" }).format(at);
	return `${day} ${time} ${zoneName(zone, at)}`;
}

/** A day. */
export function dayOf(iso: string, zone: string): string {
	return format(zone, { day: "numeric", month: "short", year: "numeric" }).format(new Date(iso));
}

/** The zone in short: UTC, UTC+1. */
export function zoneName(zone: string, at: Date = new Date()): string {
	if (zone === "UTC") return "UTC";
	const part = format(zone, { timeZoneName: "shortOffset" })
		.formatToParts(at)
		.find((p) => p.type === "timeZoneName");
	return (part?.value ?? zone).replace("GMT", "UTC");
}

/** How long before now: "2 min ago". */
export function ago(iso: string, now: number = Date.now()): string {
	const seconds = (new Date(iso).getTime() - now) / 1000;
	const steps: [Intl.RelativeTimeFormatUnit, number][] = [
		["second", 60],
		["minute", 3600],
		["hour", 86_400],
		["day", 30 * 86_400],
		["month", 365 * 86_400],
	];
	const style = new Intl.RelativeTimeFormat(language.value, { numeric: "auto", style: "short" });
	const size = Math.abs(seconds);
	const divide: Record<string, number> = { second: 1, minute: 60, hour: 3600, day: 86_400, month: 30 * 86_400 };
	for (const [unit, limit] of steps) {
		if (size < limit) return style.format(Math.round(seconds / (divide[unit] ?? 1)), unit);
	}
	return style.format(Math.round(seconds / (365 * 86_400)), "year");
}

/** A length of time: "84 ms", "3 min". */
export function span(ms: number): string {
	const size = Math.abs(ms);
	if (size < 1000) return t("span.ms", { n: Math.round(size) });
	if (size < 120_000) return t("span.s", { n: Math.round(size / 100) / 10 });
	if (size < 7_200_000) return t("span.min", { n: Math.round(size / 60_000) });
	if (size < 172_800_000) return t("span.h", { n: Math.round(size / 3_600_000) });
	return t("span.d", { n: Math.round(size / 86_400_000) });
}

/** A time with its machine-readable form. */
export function Time(props: { at: string; zone: string; relative?: boolean }) {
	return (
		<>
			<time class="tabular" dateTime={props.at}>
				{fullTime(props.at, props.zone)}
			</time>
			{props.relative ? <span class="muted"> · {ago(props.at)}</span> : null}
		</>
	);
}
