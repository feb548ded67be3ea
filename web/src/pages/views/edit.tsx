// Changes a view: its name, its query, who sees it.
import { useState } from "preact/hooks";
import { against, useChange } from "../../state/load";
import { can } from "../../state/session";
import { patched } from "../../state/url";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Check, Field } from "../../ui/field";
import { ProblemBanner } from "../../ui/notice";
import { putView, type View } from "./api";
import { t } from "./texts";

export function EditView(props: { org: string; of: View; onClose: () => void; onDone: () => void }) {
	const v = props.of;
	const before = new URLSearchParams(v.search).get("q") ?? "";
	const [name, setName] = useState(v.name);
	const [query, setQuery] = useState(before);
	const [shared, setShared] = useState(v.shared);
	const [first, setFirst] = useState(v.default);
	const change = useChange();
	const wrong = { name: against(change.problem, "name"), search: against(change.problem, "search") };
	const save = () =>
		change.run(async () => {
			const search = query === before ? v.search : patched(v.search, { q: query }).replace(/^\?/, "");
			await putView(props.org, v.id, { name: name.trim(), search, shared, default: first });
			props.onDone();
		});
	return (
		<Dialog
			title={t("views.edit.title")}
			onClose={props.onClose}
			foot={
				<>
					<Button onClick={props.onClose}>{t("cancel")}</Button>
					<Button kind="primary" disabled={change.busy || name.trim() === ""} onClick={save}>
						{t("save")}
					</Button>
				</>
			}
		>
			{change.problem && !wrong.name && !wrong.search ? <ProblemBanner problem={change.problem} /> : null}
			<form
				class="stack"
				onSubmit={(event) => {
					event.preventDefault();
					if (name.trim() !== "") save();
				}}
			>
				<Field label={t("view.name")} value={name} onInput={setName} error={wrong.name} attributes={{ maxLength: 100 }} />
				<Field label={t("query")} mono value={query} onInput={setQuery} error={wrong.search} note={t("views.edit.note")} attributes={{ spellcheck: false }} />
				{can("manage") ? (
					<Check checked={shared} onChange={setShared}>
						{t("view.shared")}
					</Check>
				) : null}
				<Check checked={first} onChange={setFirst}>
					{t(shared ? "view.default.all" : "view.default")}
				</Check>
				<button type="submit" class="hidden-text" tabIndex={-1}>
					{t("save")}
				</button>
			</form>
		</Dialog>
	);
}
