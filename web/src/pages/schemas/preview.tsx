// What sentences make of an event: of the newest one of the action, else of one that is made up.
import { api } from "../../api/client";
import { type Json, wire } from "../../api/json";
import { words } from "../../messages/messages";
import { writeValue } from "../../query/terms";
import { parseTemplate, TemplateError } from "../../sentence/parse";
import { sentenceOf, textOfParts } from "../../sentence/render";
import { type Loaded, useLoad } from "../../state/load";
import type { Sentences } from "./api";
import { t } from "./texts";

export type Example = { event: { [name: string]: Json }; made: boolean };

/** An event as it may be, before there is one. */
function madeUp(action: string): { [name: string]: Json } {
	const type = action.split(".")[0] || "invoice";
	return {
		action,
		actor: { type: "user", id: "usr_1", name: "Ada Byron" },
		targets: [{ type, id: "42", name: `${type.charAt(0).toUpperCase()}${type.slice(1).replaceAll("_", " ")} 42` }],
		changes: [{ path: "/amount", old: "1200.00", new: "1450.00" }],
		reason: t("schemas.example.reason"),
		error: { code: "limit_reached" },
	};
}

/** The event that previews are made of. */
export function useExample(org: string, action: string): Loaded<Example> {
	return useLoad(
		async (signal): Promise<Example> => {
			const found = action ? (await api.events(org, { q: `action:${writeValue(action)}`, limit: 1 }, signal)).entries[0] : undefined;
			return found ? { event: found as unknown as { [name: string]: Json }, made: false } : { event: madeUp(action || "invoice.updated"), made: true };
		},
		[org, action],
	);
}

/** What is wrong with a template; "": nothing, or it is left out. */
export function wrong(template: string): string {
	if (template === "") return "";
	try {
		parseTemplate(template);
		return "";
	} catch (error) {
		if (error instanceof TemplateError) return t("schemas.sentence.wrong", { at: error.pos + 1, message: error.message });
		throw error;
	}
}

const outcomes = ["success", "failure", "denied"] as const;

/** The three lines that an event would read by. */
export function Preview(props: { example: Example | undefined; sentences: Sentences }) {
	const { example } = props;
	if (!example) return null;
	return (
		<section class="schema-preview" aria-live="polite">
			<h3>{t(example.made ? "schemas.preview.made" : "schemas.preview")}</h3>
			<ul class="stack">
				{outcomes.map((outcome) => (
					<li key={outcome} class="line">
						<span class="badge">{t(`schemas.outcome.${outcome}`)}</span>
						<bdi>{textOfParts(sentenceOf(wire({ ...example.event, outcome }), props.sentences, undefined, words()))}</bdi>
					</li>
				))}
			</ul>
		</section>
	);
}
