// The viewer itself, with a token made for it here, in the colours that somebody tries.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Problem } from "../../api/client";
import { language } from "../../messages/messages";
import { visible } from "../../sentence/visible";
import { against, useChange } from "../../state/load";
import { useUrl } from "../../state/url";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Check, Field, Select } from "../../ui/field";
import { ProblemBanner } from "../../ui/notice";
import { fullTime } from "../../ui/time";
import { t } from "./texts";

type Token = { token: string; expires_at: string };
type Grant = { viewer: { type: string; id: string; name?: string }; features: string[]; filter?: string; hide?: string[] };

const mint = (org: string, grant: Grant, origin: string) => ask<Token>("/v1/viewer-tokens", { body: { org, ...grant, origin } });

const features = ["export", "verify", "live"] as const;
const colours = ["bg", "surface", "text", "muted", "accent", "proof", "line"] as const;
const sizes = ["radius", "row", "font", "mono"] as const;
const hints: Record<string, string> = { radius: ".375rem", row: ".5rem", font: "system-ui, sans-serif", mono: "ui-monospace, monospace" };

/** The rules to put into a style sheet of the product. */
function cssOf(values: Record<string, string>): string {
	const lines = Object.entries(values).map(([name, value]) => `  --daybook-${name}: ${value};`);
	return `daybook-viewer {\n${lines.join("\n")}\n}`;
}

export function Try(props: { org: string; origins: string[] }) {
	const url = useUrl();
	const here = window.location.origin;
	const [id, setId] = useState("cus_9");
	const [name, setName] = useState("Lin Wu");
	const [filter, setFilter] = useState("");
	const [hide, setHide] = useState("");
	const [may, setMay] = useState<string[]>(["export", "verify"]);
	const [origin, setOrigin] = useState(here);
	const [values, setValues] = useState<Record<string, string>>({});
	const [shown, setShown] = useState<{ grant: Grant; n: number } | null>(null);
	const [token, setToken] = useState<Token | null>(null);
	const change = useChange();
	const theme = url.get("theme") || "auto";
	const lang = url.get("lang") || language.value;
	const hidden = hide
		.split(",")
		.map((path) => path.trim())
		.filter(Boolean);
	const grant: Grant = {
		viewer: { type: "user", id, ...(name ? { name } : {}) },
		features: may,
		...(filter ? { filter } : {}),
		...(hidden.length > 0 ? { hide: hidden } : {}),
	};
	const at = (field: string) => against(change.problem, field);
	const ofFilter = at("filter") || (change.problem instanceof Problem && change.problem.queryError ? change.problem.message : "");
	const placed = ofFilter !== "" || at("viewer") !== "";
	const show = () =>
		change.run(async () => {
			await mint(props.org, grant, here); // what is wrong with the grant is said here, and not in the viewer
			setShown({ grant, n: (shown?.n ?? 0) + 1 });
		});
	const test = () => change.run(async () => setToken(await mint(props.org, grant, origin)));
	const set = (field: string, value: string) => {
		const { [field]: _, ...rest } = values;
		setValues(value.trim() === "" ? rest : { ...rest, [field]: value });
	};
	return (
		<section class="stack wide">
			<h2>{t("viewer.try")}</h2>
			<p class="muted measure">{t("viewer.try.about")}</p>
			{change.problem && !placed ? <ProblemBanner problem={change.problem} /> : null}
			<div class="pair">
				<Field label={t("viewer.id")} mono value={id} onInput={setId} error={at("viewer")} />
				<Field label={t("viewer.name")} value={name} onInput={setName} />
				<Field
					label={t("viewer.filter")}
					mono
					value={filter}
					onInput={setFilter}
					error={ofFilter}
					attributes={{ placeholder: "-action:internal.*", spellcheck: false }}
				/>
				<Field label={t("viewer.hide")} mono value={hide} onInput={setHide} attributes={{ placeholder: "/context/ip, /actor/email", spellcheck: false }} />
			</div>
			<div class="line">
				{features.map((one) => (
					<Check key={one} checked={may.includes(one)} onChange={(on) => setMay(on ? [...may, one] : may.filter((f) => f !== one))}>
						{t(`viewer.may.${one}`)}
					</Check>
				))}
			</div>
			<div class="line">
				<Button kind="primary" icon="eye" disabled={change.busy || id === ""} onClick={show}>
					{t(shown ? "viewer.show.again" : "viewer.show")}
				</Button>
			</div>
			{shown ? (
				<div class="viewer-try">
					<Element key={shown.n} org={props.org} grant={shown.grant} theme={theme} lang={lang} values={values} />
					<div class="viewer-theme">
						<h3>{t("viewer.theme")}</h3>
						<Select
							label={t("theme")}
							value={theme}
							onChange={(v) => url.set({ theme: v === "auto" ? null : v })}
							options={(["auto", "light", "dark"] as const).map((v): [string, string] => [v, t(`theme.${v}`)])}
						/>
						<Select
							label={t("viewer.lang")}
							value={lang}
							onChange={(v) => url.set({ lang: v === language.value ? null : v })}
							options={[
								["en", "English"],
								["de", "Deutsch"],
							]}
						/>
						{[...colours, ...sizes].map((one) => (
							<Field
								key={one}
								label={`--daybook-${one}`}
								mono
								value={values[one] ?? ""}
								onInput={(v) => set(one, v)}
								attributes={{ placeholder: hints[one] ?? t("viewer.default"), spellcheck: false }}
							/>
						))}
						<Button small icon="copy" disabled={Object.keys(values).length === 0} onClick={() => void copy(cssOf(values))}>
							{t("viewer.css")}
						</Button>
					</div>
				</div>
			) : null}
			<h3>{t("viewer.token")}</h3>
			<p class="muted measure">{t("viewer.token.about")}</p>
			<div class="line viewer-token">
				<Select
					label={t("viewer.origin")}
					value={origin}
					onChange={setOrigin}
					options={[
						[here, t("viewer.origin.here", { origin: here })],
						...props.origins.filter((o) => o !== here).map((o): [string, string] => [o, visible(o)]),
					]}
				/>
				<Button disabled={change.busy || id === ""} onClick={test}>
					{t("viewer.mint")}
				</Button>
			</div>
			{token ? <Minted of={token} origin={origin} onClose={() => setToken(null)} /> : null}
		</section>
	);
}

/** The element, as a product's page would have it. It asks for tokens as they end. */
function Element(props: { org: string; grant: Grant; theme: string; lang: string; values: Record<string, string> }) {
	const place = useRef<HTMLDivElement>(null);
	const element = useRef<HTMLElement & { getToken?: () => Promise<string> }>(null);
	useEffect(() => {
		const made: HTMLElement & { getToken?: () => Promise<string> } = document.createElement("daybook-viewer");
		made.getToken = async () => (await mint(props.org, props.grant, window.location.origin)).token;
		made.setAttribute("height", "34rem");
		made.setAttribute("theme", props.theme);
		made.setAttribute("lang", props.lang);
		element.current = made;
		place.current?.append(made);
		// A script of its own, the one that products load: its address keeps it out of this bundle.
		void import(new URL("/viewer/v1.js", window.location.origin).href);
		return () => made.remove();
	}, []);
	useEffect(() => {
		element.current?.setAttribute("theme", props.theme);
	}, [props.theme]);
	useEffect(() => {
		if (element.current?.getAttribute("lang") !== props.lang) element.current?.setAttribute("lang", props.lang);
	}, [props.lang]);
	useEffect(() => {
		for (const one of [...colours, ...sizes]) element.current?.style.setProperty(`--daybook-${one}`, props.values[one] ?? "");
	}, [props.values]);
	return <div class="viewer-frame" ref={place} />;
}

/** A token, shown once. */
function Minted(props: { of: Token; origin: string; onClose: () => void }) {
	return (
		<Dialog
			title={t("viewer.minted")}
			onClose={props.onClose}
			foot={
				<>
					<Button icon="copy" onClick={() => void copy(props.of.token)}>
						{t("copy")}
					</Button>
					<Button kind="primary" onClick={props.onClose}>
						{t("close")}
					</Button>
				</>
			}
		>
			<code class="command">{props.of.token}</code>
			<p>{t("viewer.minted.about", { origin: props.origin, until: fullTime(props.of.expires_at, "UTC") })}</p>
			{props.origin === window.location.origin ? (
				<p>
					<a href="/viewer/demo" target="_blank" rel="noreferrer">
						{t("viewer.demo")}
					</a>
				</p>
			) : null}
		</Dialog>
	);
}
