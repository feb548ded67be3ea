import { useEffect, useState } from "preact/hooks";

/** What is asked beside the rows: it may come later, or not at all. While a new answer is on its way the old one stays. */
export type Beside<T> = { value: T | null; failed: boolean };

/** Asks again whenever `when` changes. */
export function useBeside<T>(ask: (signal: AbortSignal) => Promise<T>, when: string): Beside<T> {
	const [state, setState] = useState<Beside<T>>({ value: null, failed: false });
	useEffect(() => {
		const abort = new AbortController();
		ask(abort.signal)
			.then((value) => setState({ value, failed: false }))
			.catch(() => {
				if (!abort.signal.aborted) setState({ value: null, failed: true });
			});
		return () => abort.abort();
	}, [when]);
	return state;
}
