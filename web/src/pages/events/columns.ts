// The columns of the list: which, how wide, and how they are named in the URL.
import { isKey, t } from "../../messages/messages";

/** Columns without cols= in the address. */
export const usual = ["time", "who", "what", "proof"];

/** Columns that the menu offers; a value's menu adds every other field of the query language. */
export const offered = [...usual, "action", "actor.id", "target", "outcome", "ip", "reason", "received", "seq"];

/** The columns that the parameter cols names. */
export function columnsOf(cols: string): string[] {
	const named = cols
		.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
		.map((c) => c.trim())
		.filter(Boolean);
	return named.length > 0 ? Array.from(new Set(named)) : usual;
}

/** The parameter for columns; "" for the usual ones. */
export function columnsText(columns: string[]): string {
	return columns.join(",") === usual.join(",") ? "" : columns.join(",");
}

/** The heading of a column. */
export function columnName(column: string, zone: string): string {
	const key = `col.${column}`;
	return isKey(key) ? t(key, { zone }) : column;
}

/** How wide the columns are, for grid-template-columns. */
export function template(columns: string[]): string {
	const widths: Record<string, string> = {
		time: "9.5rem",
		received: "9.5rem",
		who: "minmax(7rem, 15rem)",
		what: "minmax(12rem, 1fr)",
		proof: "4.5rem",
		seq: "5rem",
		outcome: "5rem",
	};
	return columns.map((c) => widths[c] ?? "minmax(5rem, 11rem)").join(" ");
}
