import type { Actor } from "../../api/types";
import { visible } from "../../sentence/visible";

/** Name, else e-mail, else id. */
export function nameOf(a: Actor): string {
	return visible(a.name || a.email || a.id);
}
