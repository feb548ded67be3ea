// The URL is the state: what a page shows is read from it and written to it, and parameters that nobody knows are kept.
import { useLocation, useRoute } from "preact-iso/router";

/** Reads and changes the parameters of the address, and leads elsewhere, for as long as its page is shown: then it does nothing. */
export type UrlState = {
	path: string;
	get: (name: string) => string;
	/** Changes parameters; "" and null remove one. push makes a step that "back" undoes. */
	set: (patch: Record<string, string | null>, push?: boolean) => void;
	/** The address with other parameters, for a link. */
	with: (patch: Record<string, string | null>) => string;
	go: (url: string, replace?: boolean) => void;
};

/** Writes parameters readably: what need not be encoded in a query string is not. */
export function encodeParams(params: URLSearchParams): string {
	const parts: string[] = [];
	for (const [name, value] of params) {
		parts.push(`${encode(name)}=${encode(value)}`);
	}
	return parts.join("&");
}

function encode(text: string): string {
	return encodeURIComponent(text).replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%2F/g, "/").replace(/%40/g, "@").replace(/%20/g, "+");
}

/** Applies patch to the query string search. */
export function patched(search: string, patch: Record<string, string | null>): string {
	const params = new URLSearchParams(search);
	for (const [name, value] of Object.entries(patch)) {
		if (value === null || value === "") {
			params.delete(name);
		} else {
			params.set(name, value);
		}
	}
	const text = encodeParams(params);
	return text ? `?${text}` : "";
}

export function useUrl(): UrlState {
	const location = useLocation();
	const route = useRoute();
	// While the code of the next page is on its way the one before is still there: it keeps its own address.
	const path = route.path ?? location.path;
	const at = location.url.indexOf("?");
	const params = new URLSearchParams(path === location.path ? (at < 0 ? "" : location.url.slice(at)) : route.query);
	/** Whether the page that asks is still the one in sight: an answer that comes late leads nobody back. */
	const here = () => (window.location.pathname.replace(/\/+$/, "") || "/") === path;
	const make = (patch: Record<string, string | null>) => location.path + patched(window.location.search, patch);
	return {
		path,
		get: (name) => params.get(name) ?? "",
		set: (patch, push = false) => {
			const next = make(patch);
			if (here() && next !== window.location.pathname + window.location.search) {
				location.route(next, !push);
			}
		},
		with: make,
		go: (url, replace = false) => {
			if (here()) location.route(url, replace);
		},
	};
}
