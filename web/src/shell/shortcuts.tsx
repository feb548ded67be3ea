import { type Key, t } from "../messages/messages";
import { shortcuts } from "../state/prefs";
import { Dialog } from "../ui/dialog";
import { places } from "./rail";

const keys: [string[], Key][] = [
	[["/"], "key.search"],
	[["j"], "key.next"],
	[["k"], "key.previous"],
	[["Enter"], "key.open"],
	[["Esc"], "key.close"],
	[["x"], "key.pick"],
	[["y"], "key.copy"],
	[["["], "key.earlier"],
	[["]"], "key.later"],
	[["f"], "key.facets"],
	[["t"], "key.timeline"],
	[["v"], "key.verify"],
	[["l"], "key.live"],
	[["?"], "key.help"],
];

/** The list behind "?". */
export function ShortcutList(props: { onClose: () => void }) {
	return (
		<Dialog title={t("shortcuts")} onClose={props.onClose}>
			<dl class="keys">
				{keys.map(([names, text]) => (
					<div key={text}>
						<dt>
							{names.map((n) => (
								<kbd key={n}>{n}</kbd>
							))}
						</dt>
						<dd>{t(text)}</dd>
					</div>
				))}
				{places
					.filter((p) => p.key)
					.map((p) => (
						<div key={p.id}>
							<dt>
								<kbd>g</kbd> <kbd>{p.key}</kbd>
							</dt>
							<dd>{t("key.go", { place: t(p.text) })}</dd>
						</div>
					))}
			</dl>
			<label class="check">
				<input
					type="checkbox"
					checked={shortcuts.value === "on"}
					onChange={(event) => {
						shortcuts.value = event.currentTarget.checked ? "on" : "off";
					}}
				/>
				{t("shortcuts.on")}
			</label>
		</Dialog>
	);
}
