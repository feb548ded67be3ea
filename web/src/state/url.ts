// The URL is the state: what a page shows is read from it and written to it, and parameters that nobody knows are kept.
import { useLocation } from "preact-iso/router";

/** Reads and changes the parameters of the address. */
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
	const at = location.url.indexOf("?");
	const search = at < 0 ? "" : location.url.slice(at);
	const params = new URLSearchParams(search);
	const make = (patch: Record<string, string | null>) => location.path + patched(window.location.search, patch);
	return {
		path: location.path,
		get: (name) => params.get(name) ?? "",
		set: (patch, push = false) => {
			const next = make(patch);
			if (next !== window.location.pathname + window.location.search) {
				location.route(next, !push);
			}
		},
		with: make,
		go: (url, replace = false) => location.route(url, replace),
	};
}
