// How far an export is, and how much longer it takes.
import { number } from "../../messages/messages";
import { span } from "../../ui/time";
import { t } from "./texts";

/** A bar, and the same in words. */
export function Progress(props: { done: number; of: number; since: string | null }) {
	return (
		<div class="export-progress">
			<progress max={Math.max(props.of, 1)} value={props.done} aria-label={t("exports.progress")} />
			<span class="tabular small muted">
				{t("exports.running", { at: percent(props.done, props.of), n: props.done, of: number(props.of), left: left(props.done, props.of, props.since) })}
			</span>
		</div>
	);
}

export function percent(done: number, of: number): string {
	return `${of ? Math.floor((done / of) * 100) : 0} %`;
}

/** How much longer, going by how long it has taken so far. */
function left(done: number, of: number, since: string | null): string {
	if (!since || done === 0) return t("exports.left.unknown");
	const taken = Date.now() - new Date(since).getTime();
	return t("exports.left", { time: span(Math.max(0, (taken / done) * (of - done))) });
}
