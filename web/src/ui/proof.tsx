import { t } from "../messages/messages";
import type { ProofState } from "../state/proofs";

const marks: Record<ProofState, string> = { waiting: "○", unchecked: "●", verified: "✓", failed: "✗", unknown: "◌" };

/** The glyph of a proof with its meaning. Green and red are said only of what this browser has checked. */
export function ProofMark(props: { state: ProofState; text?: boolean }) {
	const words = t(`proof.${props.state}`);
	return (
		<span class={`proof-mark ${props.state}`} title={words}>
			<span aria-hidden="true">{marks[props.state]}</span>
			{props.text ? ` ${words}` : <span class="hidden-text">{words}</span>}
		</span>
	);
}
