// One version in full, as JSON.
import { pretty } from "../../api/json";
import { visibleLines } from "../../diff/model";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { ProblemBanner, Skeleton } from "../../ui/notice";
import { Time } from "../../ui/time";
import { getState, type Thing } from "./api";
import { t } from "./texts";

export function StateDialog(props: { of: Thing; version: string; zone: string; onClose: () => void }) {
	const { data, problem, again } = useLoad((signal) => getState(props.of, props.version, signal), [props.of, props.version]);
	return (
		<Dialog
			title={t("versions.state.title", { v: props.version })}
			onClose={props.onClose}
			foot={
				data ? (
					<Button icon="copy" onClick={() => void copy(pretty(data.state))}>
						{t("versions.copy")}
					</Button>
				) : undefined
			}
		>
			{problem ? <ProblemBanner problem={problem} onRetry={again} /> : null}
			{!data && !problem ? <Skeleton width="12rem" /> : null}
			{data ? (
				<>
					<p>
						<Time at={data.version.occurred_at} zone={props.zone} relative />
					</p>
					<Unknown exact={data.version.exact} masked={data.masked} />
					<pre class="command" tabIndex={0}>
						{visibleLines(pretty(data.state))}
					</pre>
				</>
			) : null}
		</Dialog>
	);
}

/** Says what of a state is not known; nothing when all is. */
export function Unknown(props: { exact: boolean; masked: string[] }) {
	if (props.exact && props.masked.length === 0) return null;
	return (
		<ul class="versions-unknown">
			{props.exact ? null : (
				<li>
					<Icon name="triangle-alert" class="warn" /> {t("versions.inexact.about")}
				</li>
			)}
			{props.masked.length > 0 ? (
				<li>
					<Icon name="lock" class="muted" /> {t("versions.masked", { n: props.masked.length })} <span class="mono">{visible(props.masked.join(", "))}</span>
				</li>
			) : null}
		</ul>
	);
}
