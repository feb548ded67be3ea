// The routes of saved views.
import { ask } from "../../api/client";

/** search is the query string of the console's address. */
export type NewView = { name: string; search: string; shared: boolean; default: boolean };
export type View = NewView & { id: string; slug: string; by: { type: string; id: string }; created_at: string; updated_at: string };

const path = (id: string) => `/v1/views/${encodeURIComponent(id)}`;

/** The shared ones by name, then one's own by name. */
export const listViews = async (org: string, signal: AbortSignal): Promise<View[]> => (await ask<{ views: View[] }>("/v1/views", { org, signal })).views;

export const getView = (org: string, slug: string, signal: AbortSignal): Promise<View> => ask<View>(path(slug), { org, signal });

export const createView = (org: string, view: NewView): Promise<View> => ask<View>("/v1/views", { org, body: view });

export const putView = (org: string, id: string, { name, search, shared, default: first }: NewView): Promise<View> =>
	ask<View>(path(id), { org, method: "PUT", body: { name, search, shared, default: first } });

export const deleteView = (org: string, id: string): Promise<void> => ask<void>(path(id), { org, method: "DELETE" });

/** The page of events that a view keeps. */
export function eventsOf(org: string, view: View): string {
	return `/o/${encodeURIComponent(org)}/events${view.search ? `?${view.search}` : ""}`;
}

/** The view that the console begins with: one's own before everybody's. */
export function beginning(views: View[]): View | undefined {
	return views.find((v) => v.default && !v.shared) ?? views.find((v) => v.default);
}
