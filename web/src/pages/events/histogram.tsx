// How many events there were when. Drag over bars to zoom; the range menu's two fields and [ ] do the same by keyboard.
import { useRef, useState } from "preact/hooks";
import type { Bar, Histogram as Counts } from "../../api/types";
import { number, t } from "../../messages/messages";
import { dayOf, shortTime } from "../../ui/time";

type Props = { counts: Counts | undefined; busy: boolean; zone: string; failed: boolean; end: string; onZoom: (from: string, to: string) => void };

const height = 48;

/** Where bar i ends: where the next begins, or as long after its begin as the one before. */
function endOf(bars: Bar[], i: number, end: string): string {
	const next = bars[i + 1];
	if (next) return next.from;
	const [before, last] = [bars[i - 1], bars[i]];
	if (!before || !last) return end;
	const step = Date.parse(last.from) - Date.parse(before.from);
	return new Date(Date.parse(last.from) + step).toISOString();
}

export function Histogram(props: Props) {
	const [drag, setDrag] = useState<[number, number] | null>(null);
	const svg = useRef<SVGSVGElement>(null);
	const bars = props.counts?.bars ?? [];
	const most = Math.max(1, ...bars.map((b) => b.total));
	if (props.failed) return <p class="histogram-none muted small">{t("histogram.failed")}</p>;
	const at = (event: PointerEvent): number => {
		const box = (svg.current as SVGSVGElement).getBoundingClientRect();
		return Math.max(0, Math.min(bars.length - 1, Math.floor(((event.clientX - box.left) / box.width) * bars.length)));
	};
	const low = drag ? Math.min(...drag) : -1;
	const high = drag ? Math.max(...drag) : -1;
	const done = () => {
		if (drag && bars[low]) props.onZoom((bars[low] as Bar).from, endOf(bars, high, props.end));
		setDrag(null);
	};
	const label = (i: number) => {
		const b = bars[i] as Bar;
		return t("histogram.bar", {
			n: b.total,
			from: shortTime(b.from, props.zone),
			to: shortTime(endOf(bars, i, props.end), props.zone),
			bad: number(b.failure + b.denied),
		});
	};
	const [first, second] = bars;
	const days = first && second && Date.parse(second.from) - Date.parse(first.from) >= 86_400_000;
	const tick = (iso: string) => (days ? dayOf(iso, props.zone) : shortTime(iso, props.zone).replace(/:\d\d$/, ""));
	const last = bars[bars.length - 1];
	const middle = bars[Math.floor(bars.length / 2)];
	return (
		<div class="histogram" aria-busy={props.busy}>
			<svg
				ref={svg}
				class="histogram-bars"
				viewBox={`0 0 ${Math.max(1, bars.length)} ${height}`}
				preserveAspectRatio="none"
				aria-hidden="true"
				onPointerDown={(event) => {
					if (event.button !== 0 || bars.length === 0) return;
					event.currentTarget.setPointerCapture(event.pointerId);
					setDrag([at(event), at(event)]);
				}}
				onPointerMove={(event) => {
					if (drag) setDrag([drag[0], at(event)]);
				}}
				onPointerUp={done}
				onPointerCancel={() => setDrag(null)}
			>
				{bars.map((b, i) => {
					const h = b.total === 0 ? 0 : Math.max(1.5, (b.total / most) * (height - 2));
					const bad = b.total === 0 ? 0 : ((b.failure + b.denied) / b.total) * h;
					return (
						<g key={b.from} class={drag && i >= low && i <= high ? "bar chosen" : "bar"}>
							<rect class="bar-room" x={i} y={0} width={1} height={height} />
							<rect class="bar-all" x={i + 0.06} y={height - h} width={0.88} height={h} />
							<rect class="bar-bad" x={i + 0.06} y={height - bad} width={0.88} height={bad} />
							<title>{label(i)}</title>
						</g>
					);
				})}
			</svg>
			<div class="histogram-axis small muted tabular" aria-hidden="true">
				<span>{first ? tick(first.from) : "\u00a0"}</span>
				<span>{middle && bars.length > 8 ? tick(middle.from) : ""}</span>
				<span>{last ? tick(endOf(bars, bars.length - 1, props.end)) : ""}</span>
			</div>
			<table class="hidden-text">
				<caption>{t("histogram")}</caption>
				<tbody>
					{bars
						.filter((b) => b.total > 0)
						.map((b) => (
							<tr key={b.from}>
								<th scope="row">{shortTime(b.from, props.zone)}</th>
								<td>{b.total}</td>
							</tr>
						))}
				</tbody>
			</table>
		</div>
	);
}
