// The frame of every page behind the sign-in: rail, banners, the sign-in over a page whose session ended.
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso/router";
import type { Offline as File } from "../api/types";
import { t } from "../messages/messages";
import type FailureBanner from "../pages/failure/banner";
import NotFound from "../pages/notfound/notfound";
import { SignInForm } from "../pages/signin/form";
import { alarms } from "../state/proof";
import { findOrg, noOrg, offline, openSession, orgs, session } from "../state/session";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Banner } from "../ui/notice";
import { useKeys } from "./keys";
import { areaOf, places, Rail } from "./rail";
import { ShortcutList } from "./shortcuts";

export function Shell(props: { children: ComponentChildren }) {
	const location = useLocation();
	const [open, setOpen] = useState(false);
	const [help, setHelp] = useState(false);
	const area = areaOf(location.path);
	useEffect(() => setOpen(false), [location.url]);
	const main = useRef<HTMLElement>(null);
	const before = useRef(location.path);
	useEffect(() => {
		if (before.current === location.path) return;
		before.current = location.path;
		// Who went there by the rail or by a key hears and tabs on in the page, not where they came from.
		if (!main.current?.contains(document.activeElement)) main.current?.focus({ preventScroll: true });
	}, [location.path]);
	useEffect(() => {
		if (session.value === "none") {
			location.route(`/signin?next=${encodeURIComponent(location.url)}`, true);
		}
	}, [session.value]);
	useKeys({
		"?": () => setHelp(true),
		...Object.fromEntries(places.filter((p) => p.key).map((p) => [`g ${p.key}`, () => (area.org ? location.route(p.href(area.org)) : undefined)])),
	});
	const known = area.org === "" || orgs.value.some((o) => o.id === area.org);
	useEffect(() => {
		if (!known && session.value === "here") void findOrg(area.org);
	}, [known, area.org, session.value]);
	if (session.value === "none" || session.value === "unknown") {
		return <div class="shell" aria-busy="true" />;
	}
	return (
		<div class={`shell ${open ? "rail-open" : ""}`}>
			<a class="skip" href="#main">
				{t("skip")}
			</a>
			<Rail
				area={known ? area : { org: "", place: "" }}
				onHelp={() => setHelp(true)}
				menu={<Button class="rail-toggle" kind="plain" icon="menu" label={t("menu")} expanded={open} onClick={() => setOpen(!open)} />}
			/>
			<main id="main" tabIndex={-1} ref={main}>
				<Label />
				{known && area.org && alarms.value.length > 0 ? <Failure org={area.org} /> : null}
				{session.value === "unreachable" ? (
					<Banner kind="danger">
						<span>{t("error.unreachable")}</span>
						<button type="button" class="link-button" onClick={() => void openSession()}>
							{t("retry")}
						</button>
					</Banner>
				) : known ? (
					props.children
				) : noOrg.value === area.org ? (
					<NotFound />
				) : null}
			</main>
			{help ? <ShortcutList onClose={() => setHelp(false)} /> : null}
			{session.value === "ended" ? (
				<Dialog title={t("session.ended")}>
					<p>{t("session.ended.about")}</p>
					<SignInForm onDone={() => undefined} />
				</Dialog>
			) : null}
		</div>
	);
}

/** What a file is that is shown in place of a server's log. It comes when there is one: who looks at a server never loads it. */
function Label() {
	const file = offline.value;
	const [Offline, setOffline] = useState<ComponentType<{ of: File }>>();
	useEffect(() => {
		if (file) void import("../pages/offline/offline").then((m) => setOffline(() => m.default));
	}, [file]);
	return file && Offline ? <Offline of={file} /> : null;
}

/** What stands over a log that is not what it was: it is loaded when it is needed. */
function Failure(props: { org: string }) {
	const [loaded, setLoaded] = useState<{ Banner: typeof FailureBanner } | null>(null);
	useEffect(() => void import("../pages/failure/banner").then((m) => setLoaded({ Banner: m.default })), []);
	return loaded ? <loaded.Banner org={props.org} /> : null;
}
