// What a page has asked the API for: the answer, or why there is none, and asking again.
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../api/client";

/** An answer that is waited for, there, or refused. Old data stays while it is asked again. */
export type Loaded<T> = {
	data: T | undefined;
	problem: unknown;
	loading: boolean;
	/** Asks again. */
	again: () => void;
	/** Shows data without asking, such as the answer to a change. */
	show: (data: T) => void;
};

/** Asks when the page is shown and whenever deps change; what was asked before is cancelled. With every, asks again after so many milliseconds, as long as the page is in sight. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, deps: unknown[], every = 0): Loaded<T> {
	const [state, setState] = useState<{ data: T | undefined; problem: unknown; loading: boolean; of: string }>({
		data: undefined,
		problem: null,
		loading: true,
		of: "",
	});
	const [round, setRound] = useState(0);
	const latest = useRef(load);
	latest.current = load;
	const of = JSON.stringify(deps);
	useEffect(() => {
		const stop = new AbortController();
		setState((was) => ({ data: was.of === of ? was.data : undefined, problem: was.of === of ? was.problem : null, loading: true, of }));
		latest.current(stop.signal).then(
			(data) => !stop.signal.aborted && setState({ data, problem: null, loading: false, of }),
			(problem: unknown) => !stop.signal.aborted && setState((was) => ({ ...was, problem, loading: false })),
		);
		return () => stop.abort();
	}, [of, round]);
	useEffect(() => {
		if (!every) return;
		const timer = setInterval(() => document.visibilityState === "visible" && setRound((n) => n + 1), every);
		return () => clearInterval(timer);
	}, [every]);
	return { ...state, again: () => setRound((n) => n + 1), show: (data) => setState({ data, problem: null, loading: false, of }) };
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
