import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso/router";
import { t } from "../../messages/messages";
import { session, signIn } from "../../state/session";
import { SignInForm } from "./form";

/** Where to go after the sign-in: an address of the console, never another site. */
export function nextOf(next: string | undefined): string {
	return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/signin") ? next : "/";
}

export default function SignIn() {
	const location = useLocation();
	const next = nextOf(location.query["next"]);
	useEffect(() => {
		document.title = `${t("signin")} · Daybook`;
	}, []);
	const code = location.query["code"] ?? "";
	const [refused, setRefused] = useState(false);
	useEffect(() => {
		if (code) signIn({ code }).catch(() => setRefused(true));
	}, [code]);
	useEffect(() => {
		if (session.value === "here") location.route(next, true);
	}, [session.value]);
	return (
		<main class="signin">
			<h1>Daybook</h1>
			<p class="muted">{t("signin.about")}</p>
			{refused ? <p class="field-error">{t("signin.code-refused")}</p> : null}
			<SignInForm onDone={() => location.route(next, true)} />
			<p class="small muted">{t("signin.where")}</p>
		</main>
	);
}
