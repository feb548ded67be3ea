import type { Words } from "../sentence/render";
import german from "../sentence/words.de.json";
import english from "../sentence/words.json";

/** Every text of the viewer, in the languages that it speaks. */
export interface Messages {
	title: string;
	search: string;
	advanced: string;
	period: string;
	periods: Record<string, string>;
	who: string;
	whos: Record<string, string>;
	export: string;
	exporting: string;
	exportFailed: string;
	today: string;
	yesterday: string;
	more: string;
	fresh: string;
	noMatch: string;
	noEvents: string;
	clear: string;
	partial: string;
	failed: string;
	denied: string;
	ended: string;
	offline: string;
	retry: string;
	forbidden: string;
	verified: string;
	verifying: string;
	cannotVerify: string;
	verifyFailed: string;
	actor: string;
	target: string;
	reason: string;
	from: string;
	id: string;
	erased: string;
	hiddenValue: string;
	changed: string;
	added: string;
	removed: string;
	words: Words;
}

const en: Messages = {
	title: "Activity",
	search: "Search",
	advanced: "Search, such as actor:ada action:invoice.*",
	period: "Period",
	periods: { "now-24h": "Last 24 hours", "now-7d": "Last 7 days", "now-30d": "Last 30 days", "now-90d": "Last 90 days", "": "All time" },
	who: "By whom",
	whos: { "": "Everyone", "actor.type:user": "People", "-actor.type:user": "Services" },
	export: "Export",
	exporting: "Exporting …",
	exportFailed: "The export failed.",
	today: "Today",
	yesterday: "Yesterday",
	more: "Show more",
	fresh: "{n} new – show",
	noMatch: "Nothing found for this search and period.",
	noEvents: "Nothing has happened yet in this period.",
	clear: "Clear the search",
	partial: "Searched {days} of {of} days (time limit). Show more goes on.",
	failed: "failed",
	denied: "denied",
	ended: "Session ended – reload the page.",
	offline: "The server cannot be reached.",
	retry: "Retry",
	forbidden: "This page may not show the activity.",
	verified: "Verified in your browser to entry {n}",
	verifying: "Verifying …",
	cannotVerify: "Cannot verify: {why}",
	verifyFailed: "Verification failed from entry {n} on. Keep this page open and tell the operator.",
	actor: "Actor",
	target: "Target",
	reason: "Reason",
	from: "From",
	id: "Id",
	erased: "erased",
	hiddenValue: "a value that is not shown",
	changed: "changed from {} to {}",
	added: "added {}",
	removed: "removed {}",
	words: english,
};

const de: Messages = {
	title: "Aktivität",
	search: "Suchen",
	advanced: "Suchen, etwa actor:ada action:invoice.*",
	period: "Zeitraum",
	periods: { "now-24h": "Letzte 24 Stunden", "now-7d": "Letzte 7 Tage", "now-30d": "Letzte 30 Tage", "now-90d": "Letzte 90 Tage", "": "Gesamte Zeit" },
	who: "Von wem",
	whos: { "": "Alle", "actor.type:user": "Personen", "-actor.type:user": "Dienste" },
	export: "Exportieren",
	exporting: "Export läuft …",
	exportFailed: "Der Export ist fehlgeschlagen.",
	today: "Heute",
	yesterday: "Gestern",
	more: "Mehr anzeigen",
	fresh: "{n} neu – anzeigen",
	noMatch: "Zu dieser Suche und diesem Zeitraum wurde nichts gefunden.",
	noEvents: "In diesem Zeitraum ist noch nichts geschehen.",
	clear: "Suche leeren",
	partial: "{days} von {of} Tagen durchsucht (Zeitgrenze). „Mehr anzeigen“ setzt fort.",
	failed: "fehlgeschlagen",
	denied: "abgelehnt",
	ended: "Sitzung beendet – bitte neu laden.",
	offline: "Der Server ist nicht erreichbar.",
	retry: "Erneut versuchen",
	forbidden: "Diese Seite darf die Aktivität nicht zeigen.",
	verified: "In Ihrem Browser geprüft bis Eintrag {n}",
	verifying: "Wird geprüft …",
	cannotVerify: "Nicht prüfbar: {why}",
	verifyFailed: "Die Prüfung ist ab Eintrag {n} fehlgeschlagen. Lassen Sie diese Seite offen und verständigen Sie den Betreiber.",
	actor: "Wer",
	target: "Was",
	reason: "Grund",
	from: "Von",
	id: "Kennung",
	erased: "gelöscht",
	hiddenValue: "ein Wert, der nicht gezeigt wird",
	changed: "geändert von {} in {}",
	added: "{} hinzugefügt",
	removed: "{} entfernt",
	words: german,
};

/** The messages of a language, English for one that the viewer does not speak. */
export function messagesOf(lang: string): Messages {
	return /^de\b/i.test(lang) ? de : en;
}

/** The text with {n} and its like filled in. */
export function fill(text: string, values: Record<string, string | number>): string {
	return text.replace(/\{(\w+)\}/g, (all, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : all));
}
