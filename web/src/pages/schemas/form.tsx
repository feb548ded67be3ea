// The dialog for a new version of a schema. What is wrong stands at the field that it is wrong in.
import { useState } from "preact/hooks";
import { Problem } from "../../api/client";
import { Fault } from "../../json/read";
import { useChange } from "../../state/load";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Area, Field } from "../../ui/field";
import { ProblemBanner, toast } from "../../ui/notice";
import { bodyOf, partsOf, placeIn, register, type Schema, type Sentences } from "./api";
import { Preview, useExample, wrong } from "./preview";
import { t } from "./texts";

const blank = `{
  "targets": [{ "type": "invoice" }],
  "metadata": {
    "type": "object",
    "properties": { "amount": { "type": "string" } },
    "required": ["amount"]
  }
}`;

const kinds = ["sentence", "sentence_failure", "sentence_denied"] as const;

/** What keeps the text from being sent; "": nothing. */
function fault(parts: string): string {
	try {
		bodyOf(parts, {});
		return "";
	} catch (error) {
		if (error instanceof Fault) return t("schemas.json.wrong", { ...placeIn(parts, error.at), message: error.message });
		return t("schemas.json.object");
	}
}

export function NewVersion(props: { org: string; from: Schema | undefined; onClose: () => void; onMade: (made: Schema) => void }) {
	const { from } = props;
	const [action, setAction] = useState(from?.action ?? "");
	const [parts, setParts] = useState(from ? partsOf(from) : blank);
	const [sentences, setSentences] = useState<Sentences>({
		...(from?.sentence ? { sentence: from.sentence } : {}),
		...(from?.sentence_failure ? { sentence_failure: from.sentence_failure } : {}),
		...(from?.sentence_denied ? { sentence_denied: from.sentence_denied } : {}),
	});
	const change = useChange();
	const example = useExample(props.org, from?.action ?? "");
	const refused = change.problem instanceof Problem ? change.problem : null;
	const field = refused?.field.replace(/^\//, "") ?? "";
	const ofAction = field === "action" ? (refused?.message ?? "") : "";
	const ofSentence = (name: string) => wrong(sentences[name as keyof Sentences] ?? "") || (field === name ? (refused?.message ?? "") : "");
	const inParts = refused !== null && !ofAction && /^(targets|actor|metadata|event)\b/.test(field);
	const ofParts = fault(parts) || (inParts ? `/${field}: ${refused.message}` : "");
	const placed = ofAction !== "" || inParts || kinds.some((name) => field === name);
	const ready = action.trim() !== "" && fault(parts) === "" && kinds.every((name) => wrong(sentences[name] ?? "") === "");
	const make = () =>
		change.run(async () => {
			const made = await register(props.org, action.trim(), bodyOf(parts, sentences));
			toast(t(made.version === from?.version ? "schemas.same" : "schemas.made", { version: made.version }));
			props.onMade(made);
		});
	return (
		<Dialog
			title={from ? t("schemas.next", { action: from.action }) : t("schemas.new")}
			class="schema-dialog"
			onClose={props.onClose}
			foot={
				<>
					<Button onClick={props.onClose}>{t("cancel")}</Button>
					<Button kind="primary" disabled={!ready || change.busy} onClick={make}>
						{t("schemas.register")}
					</Button>
				</>
			}
		>
			{change.problem && !placed ? <ProblemBanner problem={change.problem} /> : null}
			{from ? null : (
				<Field
					label={t("schemas.action")}
					mono
					value={action}
					onInput={setAction}
					error={ofAction}
					attributes={{ placeholder: "invoice.updated", spellcheck: false, autocomplete: "off" }}
				/>
			)}
			<Area label={t("schemas.json")} value={parts} rows={10} onInput={setParts} error={ofParts} note={t("schemas.json.note")} />
			{kinds.map((name) => (
				<Field
					key={name}
					label={t(`schemas.${name}`)}
					value={sentences[name] ?? ""}
					onInput={(text) => setSentences({ ...sentences, [name]: text })}
					error={ofSentence(name)}
					{...(name === "sentence" ? { note: t("schemas.sentence.note") } : {})}
					attributes={{ maxLength: 500, spellcheck: false, ...(name === "sentence" ? { placeholder: "{actor} changed {changed} of {target}" } : {}) }}
				/>
			))}
			{kinds.some((name) => wrong(sentences[name] ?? "") !== "") ? null : (
				<Preview
					example={example.data ? { ...example.data, event: { ...example.data.event, action: action.trim() || "invoice.updated" } } : undefined}
					sentences={sentences}
				/>
			)}
			<p class="muted small">{t("schemas.once")}</p>
		</Dialog>
	);
}
