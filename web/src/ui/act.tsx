// A dialog that does one thing: what it takes, why it was refused, and two ways out of it.
import type { ComponentChildren } from "preact";
import { t } from "../messages/messages";
import { against, type Change } from "../state/load";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { ProblemBanner } from "./notice";

type Props = {
	title: string;
	/** What the button says, which does it. */
	act: string;
	kind?: "primary" | "danger";
	/** Whether everything that it takes is there. */
	ready?: boolean;
	change: Change;
	/** Fields that say themselves what the API has against them. */
	fields?: string[];
	onAct: () => void;
	onClose: () => void;
	children: ComponentChildren;
};

export function ActDialog(props: Props) {
	const { busy, problem } = props.change;
	const said = (props.fields ?? []).some((field) => against(problem, field));
	return (
		<Dialog
			title={props.title}
			onClose={props.onClose}
			foot={
				<>
					<Button onClick={props.onClose}>{t("cancel")}</Button>
					<Button kind={props.kind ?? "primary"} disabled={busy || props.ready === false} onClick={props.onAct}>
						{props.act}
					</Button>
				</>
			}
		>
			{problem && !said ? <ProblemBanner problem={problem} /> : null}
			{props.children}
		</Dialog>
	);
}
