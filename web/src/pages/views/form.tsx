// The form of a view, a new one or one that is changed: its name, its query, who sees it.
import { useState } from "preact/hooks";
import { visible } from "../../sentence/visible";
import { against, useChange } from "../../state/load";
import { can } from "../../state/session";
import { patched } from "../../state/url";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Check, Field } from "../../ui/field";
import { ProblemBanner, toast } from "../../ui/notice";
import { createView, putView, type View } from "./api";
import { t } from "./texts";

/** What belongs to one look and not to a view. */
const passing = ["sel", "tab", "zoom", "live"];

/** The query string that a view keeps. */
function searchOf(search: string): string {
	const params = new URLSearchParams(search);
	for (const name of passing) params.delete(name);
	return params.toString();
}

/** Without a view it saves what the page shows as a new one. onClose must unmount it; onDone, when it is given, comes before that. */
export default function ViewForm(props: { org: string; of?: View; onClose: () => void; onDone?: () => void }) {
	const { of } = props;
	const [kept] = useState(() => of?.search ?? searchOf(location.search));
	const before = new URLSearchParams(kept).get("q") ?? "";
	const [name, setName] = useState(of?.name ?? "");
	const [query, setQuery] = useState(before);
	const [shared, setShared] = useState(of?.shared ?? false);
	const [first, setFirst] = useState(of?.default ?? false);
	const [missing, setMissing] = useState(false);
	const change = useChange();
	const wrong = { name: missing && name.trim() === "" ? t("view.name.missing") : against(change.problem, "name"), search: against(change.problem, "search") };
	const save = () => {
		setMissing(true);
		if (name.trim() === "") return;
		change.run(async () => {
			const search = query === before ? kept : patched(kept, { q: query }).replace(/^\?/, "");
			const view = { name: name.trim(), search, shared, default: first };
			await (of ? putView(props.org, of.id, view) : createView(props.org, view));
			toast(t("view.saved", { name: visible(view.name) }));
			props.onDone?.();
			props.onClose();
		});
	};
	return (
		<Dialog
			title={t(of ? "views.edit.title" : "view.save")}
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
			{change.problem && !wrong.name && !wrong.search ? <ProblemBanner problem={change.problem} onRetry={save} /> : null}
			<form
				class="stack"
				onSubmit={(event) => {
					event.preventDefault();
					save();
				}}
			>
				<Field label={t("view.name")} value={name} onInput={setName} error={wrong.name} attributes={{ maxLength: 100 }} />
				<Field
					label={t("query")}
					mono
					value={query}
					onInput={setQuery}
					error={wrong.search}
					note={t(of ? "views.edit.note" : "view.note")}
					attributes={{ spellcheck: false }}
				/>
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
