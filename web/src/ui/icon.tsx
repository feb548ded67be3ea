// Icons of the sprite in index.html. A test compares the names with ../icons.

/** Name of an icon. */
export type IconName =
	| "archive"
	| "arrow-down"
	| "arrow-up"
	| "book-open"
	| "braces"
	| "calendar"
	| "check"
	| "chevron-down"
	| "chevron-left"
	| "chevron-right"
	| "chevron-up"
	| "circle-alert"
	| "circle-question-mark"
	| "clock"
	| "columns-3"
	| "contrast"
	| "copy"
	| "download"
	| "ellipsis-vertical"
	| "ellipsis"
	| "expand"
	| "external-link"
	| "eye"
	| "file-json"
	| "filter-x"
	| "filter"
	| "git-compare"
	| "globe"
	| "history"
	| "info"
	| "key-round"
	| "keyboard"
	| "link"
	| "list"
	| "lock"
	| "log-out"
	| "menu"
	| "minus"
	| "moon"
	| "pause"
	| "play"
	| "plus"
	| "radio"
	| "rotate-cw"
	| "save"
	| "search"
	| "server"
	| "settings"
	| "shield-check"
	| "star"
	| "sun"
	| "table"
	| "trash-2"
	| "triangle-alert"
	| "user"
	| "users"
	| "x";

/** An icon beside a text; alone it stands in a button that has a label. */
export function Icon(props: { name: IconName; class?: string }) {
	return (
		<svg class={`icon ${props.class ?? ""}`} aria-hidden="true">
			<use href={`#i-${props.name}`} />
		</svg>
	);
}
