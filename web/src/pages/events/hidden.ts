// Reads and Daybook's own events are left out unless the reader wants them, which a chip beside the query says.
import { and } from "../../query/terms";

/** The condition of the chip. */
export const quiet = "-action:daybook.*,*.viewed,*.read";

/** Whether the chip can apply: a query that names such actions wants them. */
export function hides(q: string): boolean {
	return !/daybook\.|\.viewed|\.read\b|is:control/.test(q);
}

/** What is really asked: the query of the box and, unless all is "1", the condition of the chip. */
export function effective(q: string, all: string): string {
	return all === "1" || !hides(q) ? q : and(q, quiet);
}
