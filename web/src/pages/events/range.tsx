// The range and the zone of a page: both are in the URL and printed wherever a time is.
import { useState } from "preact/hooks";
import { type Key, t } from "../../messages/messages";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Menu } from "../../ui/menu";
import { shortTime, zoneName, zoneOf } from "../../ui/time";

const presets: [from: string, to: string, text: Key][] = [
	["now-15m", "", "range.15m"],
	["now-1h", "", "range.1h"],
	["now-24h", "", "range.24h"],
	["now-7d", "", "range.7d"],
	["now-30d", "", "range.30d"],
	["now-90d", "", "range.90d"],
	["today", "", "range.today"],
	["yesterday", "today", "range.yesterday"],
	["", "", "range.all"],
];

/** What a range is called. */
export function rangeName(from: string, to: string, zone: string): string {
	const preset = presets.find((p) => p[0] === from && p[1] === to);
	if (preset) return t(preset[2]);
	const name = (text: string) => (/^\d{4}-\d\d-\d\dT.*Z$/.test(text) ? shortTime(text, zone) : text);
	if (!to) return t("range.since", { from: name(from) });
	if (!from) return t("range.until", { to: name(to) });
	return `${name(from)} – ${name(to)}`;
}

type Props = { from: string; to: string; tz: string; onRange: (from: string, to: string) => void };

/** A button that shows the range and opens presets and two fields. */
export function RangeMenu(props: Props) {
	return (
		<Menu panel end label={t("range")} button={{ icon: "calendar", children: rangeName(props.from, props.to, zoneOf(props.tz)) }}>
			{(close) => (
				<RangePanel
					{...props}
					onRange={(from, to) => {
						close();
						props.onRange(from, to);
					}}
				/>
			)}
		</Menu>
	);
}

function RangePanel(props: Props) {
	const [from, setFrom] = useState(props.from);
	const [to, setTo] = useState(props.to);
	return (
		<div class="range">
			<ul>
				{presets.map(([f, until, text]) => (
					<li key={text}>
						<button type="button" class="menu-row" aria-pressed={f === props.from && until === props.to} onClick={() => props.onRange(f, until)}>
							{t(text)}
						</button>
					</li>
				))}
			</ul>
			<form
				class="range-own"
				onSubmit={(event) => {
					event.preventDefault();
					props.onRange(from.trim(), to.trim());
				}}
			>
				<Field label={t("range.from")} value={from} mono onInput={setFrom} attributes={{ placeholder: "now-7d", spellcheck: false }} />
				<Field
					label={t("range.to")}
					value={to}
					mono
					onInput={setTo}
					attributes={{ placeholder: "now", spellcheck: false }}
					note={t("range.note", { zone: zoneName(zoneOf(props.tz)) })}
				/>
				<Button kind="primary" type="submit">
					{t("apply")}
				</Button>
			</form>
		</div>
	);
}

/** UTC, the browser's zone, or a named one. */
export function ZoneMenu(props: { tz: string; onZone: (tz: string) => void }) {
	const zone = zoneOf(props.tz);
	const [named, setNamed] = useState(props.tz === "local" ? "" : props.tz);
	return (
		<Menu panel end label={t("zone")} button={{ icon: "globe", label: `${t("zone")}: ${zone}`, children: zoneName(zone) }}>
			{(close) => {
				const zones = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
				const local = zoneOf("local");
				const pick = (tz: string) => {
					close();
					props.onZone(tz);
				};
				return (
					<div class="stack zone">
						<button type="button" class="menu-row" aria-pressed={zone === "UTC"} onClick={() => pick("")}>
							UTC
						</button>
						<button type="button" class="menu-row" aria-pressed={zone === local && local !== "UTC"} onClick={() => pick(local === "UTC" ? "" : local)}>
							{t("zone.local", { zone: local })}
						</button>
						<form
							class="line"
							onSubmit={(event) => {
								event.preventDefault();
								if (zones.length === 0 || zones.includes(named) || named === "UTC") pick(named === "UTC" ? "" : named);
							}}
						>
							<Field
								label={t("zone.named")}
								value={named}
								onInput={setNamed}
								attributes={{ list: "zones", placeholder: "Europe/Berlin", spellcheck: false }}
								{...(named && zones.length > 0 && !zones.includes(named) && named !== "UTC" ? { note: t("zone.unknown") } : {})}
							/>
							<datalist id="zones">
								{zones.map((z) => (
									<option key={z} value={z} />
								))}
							</datalist>
							<Button type="submit">{t("apply")}</Button>
						</form>
					</div>
				);
			}}
		</Menu>
	);
}
