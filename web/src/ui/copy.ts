import { t } from "../messages/messages";
import { toast } from "./notice";

/** Puts text on the clipboard and says so. Plain http on a LAN has no clipboard API: the older way is tried then. */
export async function copy(text: string): Promise<void> {
	try {
		if (navigator.clipboard) {
			await navigator.clipboard.writeText(text);
		} else {
			copyBySelection(text);
		}
		toast(t("copied"));
	} catch {
		toast(t("copy.failed"));
	}
}

function copyBySelection(text: string): void {
	const area = document.createElement("textarea");
	area.value = text;
	area.className = "hidden-text";
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	if (!done) throw new Error("not copied");
}
