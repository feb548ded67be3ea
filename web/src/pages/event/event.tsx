// One event on a page of its own: the permalink, which also prints.

import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { api, Problem } from "../../api/client";
import { type Json, parseJSON, pretty } from "../../api/json";
import { ProblemBanner } from "../../ui/notice";
import NotFound from "../notfound/notfound";

export default function EventPage() {
	const { org = "", id = "" } = useRoute().params;
	const [event, setEvent] = useState<Json | null>(null);
	const [problem, setProblem] = useState<unknown>(null);
	useEffect(() => {
		const abort = new AbortController();
		api
			.eventText(org, id, abort.signal)
			.then((text) => setEvent(parseJSON(text)))
			.catch((error: unknown) => {
				if (!abort.signal.aborted) setProblem(error);
			});
		return () => abort.abort();
	}, [org, id]);
	if (problem instanceof Problem && problem.status === 404) return <NotFound />;
	if (problem) return <ProblemBanner problem={problem} />;
	return <pre class="page-body">{event === null ? "" : pretty(event)}</pre>;
}
