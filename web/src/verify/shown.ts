import type { Json, Obj } from "../json/read";
import type { Entry } from "./leaf";
import { type Field, flatten } from "./payload";

/** Members that the server adds to what was recorded. */
const added = new Set(["org", "seq", "received_at", "leaf_hash", "erased_fields", "hidden_fields", "held", "id", "occurred_at"]);

/**
 * Whether an entry, as the API showed it, says what the evidence proves: nothing more, nothing less, nothing else. It returns the path of
 * the first member that does not, or undefined. Fields that are erased or withheld from the reader are in neither.
 */
export function unproved(shown: Obj, proved: Entry): string | undefined {
	const payload: Obj = new Map([...shown].filter(([name]) => !added.has(name)));
	const has = (path: string): Field | undefined => proved.fields.find((f) => f?.path === path);
	if (shown.get("id") !== proved.id) return "/id";
	if (has("/id")) payload.set("id", shown.get("id") as Json);
	const when = shown.get("occurred_at");
	if (has("/occurred_at")) payload.set("occurred_at", when ?? null);
	else if (when !== undefined && proved.withheld.length === 0 && when !== shown.get("received_at")) return "/occurred_at";
	// Erasing takes elements out of arrays: then places are not compared, and a container that was emptied may be there or not.
	const loose = proved.withheld.length > 0;
	const key = (f: Field): string => `${loose ? f.path.replace(/\/~#\d+/g, "/~#") : f.path}\0${f.type}\0${f.value}`;
	const matters = (f: Field): boolean => !loose || (f.type !== "o" && f.type !== "a");
	const left = new Map<string, number>();
	const paths = new Map<string, string>();
	for (const f of proved.fields) {
		if (!f || !matters(f)) continue;
		left.set(key(f), (left.get(key(f)) ?? 0) + 1);
		paths.set(key(f), f.path);
	}
	for (const f of payload.size === 0 && loose ? [] : flatten(payload)) {
		if (!matters(f)) continue;
		const n = left.get(key(f)) ?? 0;
		if (n === 0 && loose && f.type === "z") continue; // stands for an element that is withheld
		if (n === 0) return f.path;
		if (n === 1) left.delete(key(f));
		else left.set(key(f), n - 1);
	}
	const [missing] = left.keys();
	return missing === undefined ? undefined : paths.get(missing);
}
