// A list of which only the rows in sight are in the page. Rows have one height, in rem, measured from a probe: text size and spacing
// of the reader hold (WCAG 1.4.12). It scrolls itself, or, where the style sheet gives it no scroll bar, with <main>. It may have any length.
import type { ComponentChildren, Ref } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Stretch, tallest } from "./stretch";

/** Rows rendered beyond the edges, and the height of one until it is measured. */
const extra = 8;
const usualHeight = 36;

/** Milliseconds without a scroll after which the scroll bar of a very long list moves to where the reader has come. */
const rest = 200;

/** Moves a list from outside. */
export type ListHandle = {
	/** Scrolls so that the row is in sight. */
	reveal: (index: number) => void;
	/** Keeps what is in sight where it is when n rows come in at the top. */
	shift: (n: number) => void;
	/** Whether the reader is at the top. */
	atTop: () => boolean;
	toTop: () => void;
	/** Rows that fit. */
	fits: () => number;
};

type Props = {
	count: number;
	/** Renders a row; style places it. */
	row: (index: number) => ComponentChildren;
	/** What follows the last row. */
	after?: ComponentChildren;
	onSight: (first: number, last: number, atTop: boolean) => void;
	handle: Ref<ListHandle>;
	rowClass: string;
};

export function VirtualList(props: Props) {
	const list = useRef<HTMLDivElement>(null);
	const body = useRef<HTMLDivElement>(null);
	const probe = useRef<HTMLDivElement>(null);
	const [height, setHeight] = useState(usualHeight);
	// The first rows are made before anything is measured: as many as a window of this height may show.
	const [range, setRange] = useState<[from: number, to: number, shift: number]>(() => [0, Math.ceil(window.innerHeight / usualHeight), 0]);
	const stretch = useRef(new Stretch()).current;
	const count = useRef(props.count);
	count.current = props.count;
	const sight = useRef(props.onSight);
	sight.current = props.onSight;

	const scroller = useCallback((): HTMLElement => {
		const own = list.current as HTMLElement;
		return getComputedStyle(own).overflowY === "auto" ? own : (own.closest<HTMLElement>("main") ?? document.documentElement);
	}, []);

	/** What scrolls, how far the body is scrolled in it, and where in the list that is. */
	const measure = useCallback(() => {
		const box = scroller();
		const place = box.getBoundingClientRect().top - (body.current?.getBoundingClientRect().top ?? 0);
		stretch.resize(count.current * height, box.clientHeight);
		return { box, place, top: stretch.follow(place), view: box.clientHeight };
	}, [scroller, height]);

	/** Scrolls to a place in the list. */
	const go = useCallback(
		(top: number) => {
			const { box, place } = measure();
			box.scrollTop += stretch.placeOf(top) - place;
			const came = box.getBoundingClientRect().top - (body.current?.getBoundingClientRect().top ?? 0);
			stretch.moved(came, top);
		},
		[measure],
	);

	const update = useCallback(() => {
		if (!list.current || !body.current) return;
		const { top, view, place } = measure();
		if (stretch.stuck(place)) go(Math.max(Math.min(top, count.current * height - view), 0));
		const first = Math.max(0, Math.floor(top / height));
		const last = Math.min(count.current, Math.ceil((top + view) / height));
		const from = Math.max(0, first - extra);
		const to = Math.min(count.current, last + extra);
		setRange((old) => (old[0] === from && old[1] === to && old[2] === stretch.shift ? old : [from, to, stretch.shift]));
		sight.current(first, last, top <= 1);
	}, [height, measure, go]);

	useLayoutEffect(() => {
		const box = scroller();
		let queued = false;
		let resting: ReturnType<typeof setTimeout> | undefined;
		const later = () => {
			clearTimeout(resting);
			resting = setTimeout(() => {
				if (stretch.shift === 0) return;
				go(measure().top);
				update();
			}, rest);
			if (queued) return;
			queued = true;
			requestAnimationFrame(() => {
				queued = false;
				update();
			});
		};
		const probed = new ResizeObserver(() => {
			const h = probe.current?.getBoundingClientRect().height;
			if (h) setHeight(h);
			update(); // here the layout is known, and nothing is painted yet
		});
		if (probe.current) probed.observe(probe.current);
		probed.observe(box);
		box.addEventListener("scroll", later, { passive: true });
		window.addEventListener("resize", later);
		return () => {
			clearTimeout(resting);
			probed.disconnect();
			box.removeEventListener("scroll", later);
			window.removeEventListener("resize", later);
		};
	}, [scroller, measure, go, update]);

	useEffect(update, [props.count, height, update]);

	const handle: ListHandle = {
		reveal: (index) => {
			const { top, view } = measure();
			const y = index * height;
			if (y < top) go(y);
			else if (y + height > top + view) go(y + height - view);
			update();
		},
		shift: (n) => {
			const { top } = measure();
			if (top > 1) go(top + n * height);
		},
		atTop: () => measure().top <= 1,
		toTop: () => {
			if (measure().top > 0) go(0);
		},
		fits: () => Math.max(1, Math.floor(measure().view / height) - 1),
	};
	if (typeof props.handle === "function") props.handle(handle);
	else if (props.handle) props.handle.current = handle;

	const rows: ComponentChildren[] = [];
	const [from, to, shift] = range;
	for (let i = from; i < Math.min(to, props.count); i++) {
		rows.push(props.row(i));
	}
	const stretched = props.count * height > tallest;
	return (
		<div class="virtual" ref={list}>
			<div class={`${props.rowClass} probe`} ref={probe} aria-hidden="true" />
			<div
				class="virtual-body"
				role="rowgroup"
				ref={body}
				style={{ height: `${stretched ? tallest : props.count * height}px`, overflowAnchor: stretched ? "none" : "auto" }}
			>
				<div role="presentation" style={{ height: `${from * height - shift}px` }} />
				{rows}
			</div>
			{props.after ? (
				// Another element with every page, for one that new rows push away from under the reader's eye is a shift of the layout.
				<div role="rowgroup" key={props.count}>
					{props.after}
				</div>
			) : null}
		</div>
	);
}
