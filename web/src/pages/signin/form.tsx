import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../../api/client";
import { t } from "../../messages/messages";
import { session, signIn } from "../../state/session";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";

/** Asks for an API key and makes a session of it. Password managers and paste work (WCAG 3.3.8). */
export function SignInForm(props: { onDone: () => void }) {
	const [key, setKey] = useState("");
	const [error, setError] = useState("");
	const [busy, setBusy] = useState(false);
	const input = useRef<HTMLInputElement>(null);
	useEffect(() => input.current?.focus(), []);
	const submit = async (event: Event) => {
		event.preventDefault();
		if (!key.trim()) {
			setError(t("signin.missing"));
			return;
		}
		setBusy(true);
		setError("");
		try {
			await signIn({ api_key: key.trim() });
			if (session.value === "here") {
				props.onDone();
			} else {
				setError(t("signin.no-cookie"));
			}
		} catch (problem) {
			setError(problem instanceof Problem && problem.status === 401 ? t("signin.refused") : problem instanceof Error ? problem.message : String(problem));
			input.current?.focus();
		} finally {
			setBusy(false);
		}
	};
	return (
		<form class="signin-form" onSubmit={(event) => void submit(event)}>
			<input class="hidden-text" type="text" name="username" autoComplete="username" value="daybook" readOnly tabIndex={-1} aria-hidden="true" />
			<Field
				label={t("signin.key")}
				value={key}
				mono
				onInput={setKey}
				{...(error ? { error } : {})}
				inputRef={input}
				attributes={{ type: "password", name: "password", autoComplete: "current-password", spellcheck: false, placeholder: "dbk_…" }}
			/>
			<Button kind="primary" type="submit" disabled={busy}>
				{busy ? t("signin.busy") : t("signin.go")}
			</Button>
		</form>
	);
}
