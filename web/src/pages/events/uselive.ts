import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Entry } from "../../api/types";
import { t } from "../../messages/messages";
import { say } from "../../ui/notice";
import type { ListHandle } from "../../ui/virtual";
import { Live, type LiveState } from "./live";
import type { Pages } from "./pages";

/** What the page shows of the live tail. */
export type LiveView = { state: LiveState; waiting: number; overrun: boolean; show: () => void; onTop: (atTop: boolean) => void };

const none: Entry[] = [];

/** Follows the log from where the list began. What comes is shown at once when the reader is at the top, else behind the pill. */
export function useLive(props: { on: boolean; pages: Pages; list: RefObject<ListHandle | null>; onOverrun: () => void }): LiveView {
	const { pages, on } = props;
	const [live, setLive] = useState<Live | null>(null);
	const top = useRef(true);
	const ready = on && pages.searched !== null;
	useEffect(() => {
		if (!ready) return;
		const one = new Live(pages.search.org, pages.search.q ?? "", pages.search.tz ?? "", pages.seen);
		setLive(one);
		void one.run();
		return () => {
			pages.seen = one.position + 1; // turned on again it goes on from there
			one.close();
			setLive(null);
		};
	}, [ready, pages]);

	const waiting = live?.waiting.value ?? none;
	const overrun = live?.overrun.value ?? false;
	const show = () => {
		if (!live) return;
		if (overrun) {
			props.onOverrun();
			return;
		}
		const rows = pages.prepend(live.take());
		if (top.current) props.list.current?.toTop();
		else props.list.current?.shift(rows);
		props.list.current?.toTop();
	};
	useEffect(() => {
		if (waiting.length === 0 || !live) return;
		say(t("live.new", { n: waiting.length }));
		if (!top.current || overrun) return;
		pages.prepend(live.take());
	}, [waiting]); // and not how many: one that comes while one is shown is one again
	return {
		state: live?.state.value ?? "off",
		waiting: waiting.length,
		overrun,
		show,
		onTop: (atTop) => {
			top.current = atTop;
		},
	};
}
