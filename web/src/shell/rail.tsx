// The navigation at the side: organization, places, theme, the person's menu.
import type { ComponentChildren } from "preact";
import { useLocation } from "preact-iso/router";
import { type Key, languages, t } from "../messages/messages";
import { chosenLanguage, density, lists, shortcuts, speakChosen, theme } from "../state/prefs";
import { can, offline, orgNames, orgs, signOut, whoami } from "../state/session";
import { Button } from "../ui/button";
import { Icon, type IconName } from "../ui/icon";
import { Menu, MenuRow } from "../ui/menu";

/** What the address says about where one is. */
export type Area = { org: string; place: string };

export function areaOf(path: string): Area {
	const parts = path.split("/");
	if (parts[1] === "admin") return { org: "", place: "admin" };
	if (parts[1] !== "o") return { org: "", place: "" };
	let org = parts[2] ?? "";
	try {
		org = decodeURIComponent(org);
	} catch {
		// not an organization then
	}
	const place = parts[3] === "settings" ? `settings/${parts[4] ?? ""}` : ({ targets: "timelines", actors: "timelines" }[parts[3] ?? ""] ?? parts[3] ?? "");
	return { org, place };
}

type Place = {
	id: string;
	text: Key;
	icon: IconName;
	scope: string;
	key?: string;
	href: (org: string) => string;
	manage?: boolean /** The server keeps it. */;
	kept?: boolean;
};

const within = (path: string) => (org: string) => `/o/${encodeURIComponent(org)}/${path}`;

/** Where one can go. A page that is not built stands not here. */
export const places: Place[] = [
	{ id: "events", text: "nav.events", icon: "list", scope: "read", key: "e", href: within("events") },
	{ id: "timelines", text: "nav.timelines", icon: "history", scope: "read", key: "t", href: within("timelines") },
	{ id: "views", text: "nav.views", icon: "star", scope: "read", kept: true, href: within("views") },
	{ id: "exports", text: "nav.exports", icon: "download", scope: "export", kept: true, key: "x", href: within("exports") },
	{ id: "settings/schemas", text: "nav.schemas", icon: "braces", scope: "manage", href: within("settings/schemas"), manage: true },
	{ id: "settings/retention", text: "nav.keeping", icon: "archive", scope: "manage", href: within("settings/retention"), manage: true },
	{ id: "settings/keys", text: "nav.keys", icon: "key-round", scope: "manage", href: within("settings/keys"), manage: true },
	{ id: "settings/viewer", text: "nav.viewer", icon: "eye", scope: "manage", href: within("settings/viewer"), manage: true },
	{ id: "integrity", text: "nav.integrity", icon: "shield-check", scope: "read", key: "i", href: within("integrity") },
];

export function Rail(props: { area: Area; menu: ComponentChildren; onHelp: () => void }) {
	const { org, place } = props.area;
	const row = (p: Place) =>
		can(p.scope) && org && !(p.kept && offline.value) ? (
			<li key={p.id}>
				<a class="rail-link" href={p.href(org)} title={t(p.text)} aria-current={place === p.id ? "page" : undefined}>
					<Icon name={p.icon} />
					<span class="cut">{t(p.text)}</span>
				</a>
			</li>
		) : null;
	const manage = places.filter((p) => p.manage && can(p.scope));
	return (
		<header class="rail">
			<div class="rail-head">
				{props.menu}
				<a class="brand" href="/">
					Daybook
				</a>
				<OrgSwitch org={org} />
			</div>
			<nav class="rail-nav" aria-label={t("nav")}>
				<ul>{places.filter((p) => !p.manage).map(row)}</ul>
				{manage.length > 0 && org ? (
					<>
						<h2 class="rail-title">{t("nav.manage")}</h2>
						<ul>{manage.map(row)}</ul>
					</>
				) : null}
			</nav>
			<div class="rail-foot">
				{can("operate") ? (
					<a class="rail-link" href="/admin" title={t("nav.admin")} aria-current={place === "admin" ? "page" : undefined}>
						<Icon name="server" />
						<span>{t("nav.admin")}</span>
					</a>
				) : null}
				<a class="rail-link" href="/docs/api" title={t("nav.docs")} target="_blank" rel="noreferrer">
					<Icon name="book-open" />
					<span>{t("nav.docs")}</span>
				</a>
				<div class="line">
					<Button kind="plain" icon="keyboard" label={t("shortcuts")} onClick={props.onHelp} />
					<ThemeMenu />
					<PersonMenu />
				</div>
			</div>
		</header>
	);
}

function OrgSwitch(props: { org: string }) {
	const location = useLocation();
	const name = orgNames.value.get(props.org) ?? props.org;
	if (orgs.value.length < 2) {
		return props.org ? <span class="org-name cut">{name}</span> : null;
	}
	return (
		<Menu label={t("org.choose")} button={{ kind: "plain", class: "org-switch", title: props.org, children: <OrgLabel name={name || t("org.choose")} /> }}>
			{(close) => (
				<>
					<div class="menu-head">{t("org.choose")}</div>
					{orgs.value.slice(0, 200).map((o) => (
						<MenuRow
							key={o.id}
							checked={o.id === props.org}
							onClick={() => {
								close();
								location.route(`/o/${encodeURIComponent(o.id)}/events`);
							}}
						>
							{o.name || o.id} {o.name && o.name !== o.id ? <span class="muted small">{o.id}</span> : null}
						</MenuRow>
					))}
				</>
			)}
		</Menu>
	);
}

function OrgLabel(props: { name: string }) {
	return (
		<>
			<span class="cut">{props.name}</span>
			<Icon name="chevron-down" />
		</>
	);
}

function ThemeMenu() {
	const icon: Record<string, IconName> = { auto: "contrast", light: "sun", dark: "moon" };
	return (
		<Menu label={t("theme")} button={{ kind: "plain", icon: icon[theme.value ?? "auto"] ?? "contrast", label: t("theme") }}>
			{(close) =>
				(["auto", "light", "dark"] as const).map((one) => (
					<MenuRow
						key={one}
						checked={theme.value === one}
						onClick={() => {
							theme.value = one;
							close();
						}}
					>
						{t(`theme.${one}`)}
					</MenuRow>
				))
			}
		</Menu>
	);
}

function PersonMenu() {
	const who = whoami.value;
	return (
		<Menu label={t("person")} button={{ kind: "plain", icon: "user", label: t("person") }}>
			{(close) => (
				<>
					<div class="menu-head">
						{who?.name || who?.id}
						<div class="muted">{who?.scopes.join(", ")}</div>
					</div>
					<hr class="menu-rule" />
					<MenuRow
						checked={shortcuts.value === "on"}
						onClick={() => {
							shortcuts.value = shortcuts.value === "on" ? "off" : "on";
							close();
						}}
					>
						{t("shortcuts.on")}
					</MenuRow>
					<MenuRow
						checked={lists.value === "table"}
						onClick={() => {
							lists.value = lists.value === "table" ? "scroll" : "table";
							close();
						}}
					>
						{t("lists.table")}
					</MenuRow>
					<div class="menu-head">{t("density")}</div>
					{(["compact", "normal", "comfortable"] as const).map((one) => (
						<MenuRow
							key={one}
							checked={density.value === one}
							onClick={() => {
								density.value = one;
								close();
							}}
						>
							{t(`density.${one}`)}
						</MenuRow>
					))}
					<div class="menu-head">{t("language")}</div>
					{(["auto", "en", "de"] as const).map((one) => (
						<MenuRow
							key={one}
							checked={chosenLanguage.value === one}
							onClick={() => {
								chosenLanguage.value = one;
								close();
								void speakChosen();
							}}
						>
							{one === "auto" ? t("language.auto") : <span lang={one}>{languages[one]}</span>}
						</MenuRow>
					))}
					<hr class="menu-rule" />
					<MenuRow
						icon="log-out"
						onClick={() => {
							close();
							void signOut();
						}}
					>
						{t("sign-out")}
					</MenuRow>
				</>
			)}
		</Menu>
	);
}
