// What a page has asked the API for: the answer, or why there is none, and asking again.
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../api/client";

/** An answer that is waited for, there, or refused. What was answered before stays while the same is asked again. */
export type Loaded<T> = {
	data: T | undefined;
	problem: unknown;
	loading: boolean;
	/** Asks again. */
	again: () => void;
	/** Shows data without asking, such as the answer to a change. */
	show: (data: T) => void;
};

/**
 * every: asks again so many milliseconds after the answer, as long as the page is in sight; 0: does not. keep: the answer to the question
 * before stays until the next is there.
 */
export type LoadOptions<T> = { every?: number | ((data: T | undefined) => number); keep?: boolean };

type Answer<T> = { data: T | undefined; problem: unknown; loading: boolean; of: string; dataOf: string };

/** Asks when the page is shown and whenever deps change; what was asked before is cancelled, and its answer never shown for the new question. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, deps: unknown[], { every = 0, keep = false }: LoadOptions<T> = {}): Loaded<T> {
	const of = JSON.stringify(deps);
	const [state, setState] = useState<Answer<T>>({ data: undefined, problem: null, loading: true, of, dataOf: "" });
	const [round, setRound] = useState(0);
	const latest = useRef(load);
	latest.current = load;
	const asking = useRef(new AbortController());
	useEffect(() => {
		const stop = new AbortController();
		asking.current = stop;
		setState((was) => {
			if (was.loading && was.of === of) return was;
			return { data: keep || was.dataOf === of ? was.data : undefined, dataOf: was.dataOf, problem: was.of === of ? was.problem : null, loading: true, of };
		});
		latest.current(stop.signal).then(
			(data) => !stop.signal.aborted && setState({ data, dataOf: of, problem: null, loading: false, of }),
			(problem: unknown) => !stop.signal.aborted && setState((was) => ({ ...was, data: was.dataOf === of ? was.data : undefined, problem, loading: false })),
		);
		return () => stop.abort();
	}, [of, round]);
	const { problem, loading } = state.of === of ? state : { problem: null, loading: true };
	const data = keep || state.dataOf === of ? state.data : undefined;
	const pause = typeof every === "function" ? every(data) : every;
	useEffect(() => {
		if (!pause || loading) return; // an answer that takes longer than the pause is waited for
		const timer = setInterval(() => document.visibilityState === "visible" && setRound((n) => n + 1), pause);
		return () => clearInterval(timer);
	}, [pause, loading]);
	return {
		data,
		problem,
		loading,
		again: () => setRound((n) => n + 1),
		show: (shown) => {
			asking.current.abort(); // what is on its way is older
			setState({ data: shown, dataOf: of, problem: null, loading: false, of });
		},
	};
}

/** A change under way: busy while it is, problem when it was refused. */
export type Change = { busy: boolean; problem: unknown; run: (work: () => Promise<void>) => void };

/** One change at a time: a second press while the first is under way does nothing. */
export function useChange(): Change {
	const [state, setState] = useState<{ busy: boolean; problem: unknown }>({ busy: false, problem: null });
	const busy = useRef(false);
	return {
		...state,
		run: (work) => {
			if (busy.current) return;
			busy.current = true;
			setState({ busy: true, problem: null });
			work().then(
				() => {
					busy.current = false;
					setState({ busy: false, problem: null });
				},
				(problem: unknown) => {
					busy.current = false;
					setState({ busy: false, problem });
				},
			);
		},
	};
}

/** What the API says against one field of what was sent; "" when it says nothing about it. Fields are named or pointed at (RFC 6901). */
export function against(problem: unknown, field: string): string {
	return problem instanceof Problem && problem.field.replace(/^\//, "") === field ? problem.message : "";
}
