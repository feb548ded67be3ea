// What has become of an entry since it was recorded: what was erased and by which request, what removed it, which holds keep it, and what
// the reader may not see. The proof of everything else holds all the same.
import { api } from "../../api/client";
import type { Entry } from "../../api/types";
import { visible } from "../../sentence/visible";
import { useLoad } from "../../state/load";
import { can } from "../../state/session";
import { Icon } from "../../ui/icon";
import { dayOf } from "../../ui/time";
import { meet, readItems } from "../../verify/items";
import { t } from "./texts";

type Act = { op: string; id: string; reason: string; at: string; over: boolean };

/** Acts of the log that are looked through. */
const most = 1000;

/** The holds and erasures that name the entry at seq, the newest first. Each hold stands once, as its newest act says. */
async function actsOn(org: string, seq: number, signal: AbortSignal): Promise<Act[]> {
	const { entries } = await api.events(org, { q: "is:control", limit: most }, signal);
	const acts: Act[] = [];
	const released = new Set<string>();
	for (const e of entries) {
		const text = (name: string) => (typeof e[name] === "string" ? e[name] : "");
		const [op, items] = [text("op"), text("items")];
		if (text("state") === "released") released.add(text("hold_id"));
		if ((op !== "hold" && op !== "erase") || !items || text("state") === "released") continue;
		try {
			if (items !== "*" && meet(readItems(items), [{ first: seq, last: seq }]) === undefined) continue;
		} catch {
			continue; // of a newer version
		}
		const id = text("hold_id") || text("erasure_id");
		acts.push({ op, id, reason: text("reason"), at: e.received_at, over: released.has(id) });
	}
	return acts;
}

export function Fate(props: { org: string; entry: Entry; zone: string }) {
	const { entry, org } = props;
	const gone = entry.removed !== undefined || entry.erased_fields !== undefined;
	const wanted = gone || can("manage");
	const acts = useLoad(
		async (signal) => {
			if (!wanted) return [];
			const held = (await api.events(org, { q: `seq:${entry.seq} is:held`, limit: 1 }, signal)).entries.length > 0;
			return gone || held ? actsOn(org, entry.seq, signal) : [];
		},
		[org, entry.seq, wanted],
	);
	const found = acts.data ?? [];
	const erasure = found.find((a) => a.op === "erase");
	const holds = found.filter((a) => a.op === "hold" && !a.over);
	const names = (list: string[]) => list.map(visible).join(", ");
	if (!gone && !entry.hidden_fields && holds.length === 0) return null;
	return (
		<ul class="fate small">
			{entry.removed ? (
				<li>
					<span aria-hidden="true">▒</span> {t(entry.removed === "erased" ? "fate.removed.erased" : "fate.removed", { by: visible(String(entry["by"] ?? "")) })}
				</li>
			) : null}
			{entry.erased_fields ? (
				<li>
					<span aria-hidden="true">▒</span>{" "}
					{entry.erased_fields.length > 0 ? t("fate.erased", { fields: names(entry.erased_fields) }) : t("fate.erased.unnamed")}
					{erasure ? ` ${t("fate.request", { day: dayOf(erasure.at, props.zone), reason: visible(erasure.reason), id: erasure.id })}` : ""} {t("fate.proof")}
				</li>
			) : null}
			{entry.hidden_fields ? (
				<li>
					<span aria-hidden="true">▒</span> {t("fate.hidden", { fields: names(entry.hidden_fields) })}
				</li>
			) : null}
			{holds.map((h) => (
				<li key={h.id}>
					<Icon name="lock" /> {t("fate.held", { reason: visible(h.reason), id: h.id })}
				</li>
			))}
		</ul>
	);
}
