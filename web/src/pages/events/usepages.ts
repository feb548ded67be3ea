import { useEffect, useMemo, useRef } from "preact/hooks";
import { Pages, perMore, type Search } from "./pages";

/**
 * The pages of a search; following says how many entries each has after the first. Who asks renders again when the outline of the pages
 * changes, and for more reads their version. While a new one is asked the old rows stay, and they stay when it fails: asking is the new one,
 * pages what is shown.
 */
export function usePages(search: Search, key: string, following = perMore): { pages: Pages; asking: Pages } {
	const asking = useMemo(() => new Pages(search, true, undefined, following), [key]);
	const shown = useRef<Pages | null>(null);
	if (asking.outline.value.answered || shown.current === null || shown.current.search.org !== search.org) {
		if (shown.current !== asking) shown.current?.close();
		shown.current = asking;
	}
	useEffect(() => {
		void asking.more();
		return () => {
			if (shown.current !== asking) asking.close();
		};
	}, [asking]);
	useEffect(() => () => shown.current?.close(), []);
	return { pages: shown.current, asking };
}
