// The frame of every page behind the sign-in: rail, banners, the sign-in over a page whose session ended.
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso/router";
import type { Offline as File } from "../api/types";
import { t } from "../messages/messages";
import { SignInForm } from "../pages/signin/form";
import { offline, openSession, session } from "../state/session";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Banner } from "../ui/notice";
import { FailureBanner } from "../ui/proof";
import { useKeys } from "./keys";
import { areaOf, places, Rail } from "./rail";
import { ShortcutList } from "./shortcuts";

export function Shell(props: { children: ComponentChildren }) {
	const location = useLocation();
	const [open, setOpen] = useState(false);
	const [help, setHelp] = useState(false);
	const area = areaOf(location.path);
	useEffect(() => setOpen(false), [location.url]);
	useEffect(() => {
		if (session.value === "none") {
			location.route(`/signin?next=${encodeURIComponent(location.url)}`, true);
		}
	}, [session.value]);
	useKeys({
		"?": () => setHelp(true),
		...Object.fromEntries(places.filter((p) => p.key).map((p) => [`g ${p.key}`, () => (area.org ? location.route(p.href(area.org)) : undefined)])),
	});
	if (session.value === "none" || session.value === "unknown") {
		return <div class="shell" aria-busy="true" />;
	}
	return (
		<div class={`shell ${open ? "rail-open" : ""}`}>
			<a class="skip" href="#main">
				{t("skip")}
			</a>
			<Rail
				area={area}
				onHelp={() => setHelp(true)}
				menu={<Button class="rail-toggle" kind="plain" icon="menu" label={t("menu")} expanded={open} onClick={() => setOpen(!open)} />}
			/>
			<main id="main" tabIndex={-1}>
				<Label />
				<FailureBanner org={area.org} />
				{session.value === "unreachable" ? (
					<Banner kind="danger">
						<span>{t("error.unreachable")}</span>
						<button type="button" class="link-button" onClick={() => void openSession()}>
							{t("retry")}
						</button>
					</Banner>
				) : (
					props.children
				)}
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
