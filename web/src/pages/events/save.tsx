// Saves what the page shows as a view: its name and the query string of the address.
import { useState } from "preact/hooks";
import { ask } from "../../api/client";
import { t } from "../../messages/messages";
import { useChange } from "../../state/load";
import { can } from "../../state/session";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Check, Field } from "../../ui/field";
import { ProblemBanner, toast } from "../../ui/notice";

/** What belongs to one look and not to a view. */
const passing = ["sel", "tab", "zoom", "live"];

/** The query string that a view keeps. */
export function searchOf(search: string): string {
	const params = new URLSearchParams(search);
	for (const name of passing) params.delete(name);
	return params.toString();
}

export default function SaveDialog(props: { org: string; onClose: () => void }) {
	const [name, setName] = useState("");
	const [shared, setShared] = useState(false);
	const [first, setFirst] = useState(false);
	const change = useChange();
	const [missing, setMissing] = useState(false);
	const save = () => {
		setMissing(name.trim() === "");
		if (name.trim() === "") return;
		change.run(async () => {
			await ask("/v1/views", { org: props.org, body: { name: name.trim(), search: searchOf(location.search), shared, default: first } });
			toast(t("view.saved", { name: name.trim() }));
			props.onClose();
		});
	};
	return (
		<Dialog
			title={t("view.save")}
			onClose={props.onClose}
			foot={
				<>
					<Button onClick={props.onClose}>{t("cancel")}</Button>
					<Button kind="primary" disabled={change.busy} onClick={save}>
						{t("save")}
					</Button>
				</>
			}
		>
			{change.problem ? <ProblemBanner problem={change.problem} onRetry={save} /> : null}
			<form
				class="stack"
				onSubmit={(event) => {
					event.preventDefault();
					save();
				}}
			>
				<Field label={t("view.name")} value={name} onInput={setName} attributes={{ maxLength: 100 }} {...(missing ? { error: t("view.name.missing") } : {})} />
				{can("manage") ? (
					<Check checked={shared} onChange={setShared}>
						{t("view.shared")}
					</Check>
				) : null}
				<Check checked={first} onChange={setFirst}>
					{t(shared ? "view.default.all" : "view.default")}
				</Check>
				<p class="small muted">{t("view.note")}</p>
			</form>
		</Dialog>
	);
}
