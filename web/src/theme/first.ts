// Runs before the page is painted, so that a chosen theme does not flash. Everything else is a module and comes later.
try {
	const chosen = localStorage.getItem("daybook.theme");
	if (chosen === "light" || chosen === "dark") {
		document.documentElement.dataset["theme"] = chosen;
	}
} catch {
	// Storage may be forbidden: then the system's theme holds.
}
