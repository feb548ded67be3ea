import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** Tabs with one panel; arrow keys choose. */
export function Tabs<T extends string>(props: {
	label: string;
	value: T;
	tabs: [id: T, text: ComponentChildren][];
	onChange: (id: T) => void;
	children: ComponentChildren;
}) {
	const id = useId();
	const at = props.tabs.findIndex(([name]) => name === props.value);
	return (
		<>
			<div
				class="tabs"
				role="tablist"
				aria-label={props.label}
				onKeyDown={(event) => {
					const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
					if (step === undefined) return;
					event.preventDefault();
					const next = props.tabs[(at + step + props.tabs.length) % props.tabs.length];
					if (!next) return;
					props.onChange(next[0]);
					document.getElementById(`${id}-${next[0]}`)?.focus();
				}}
			>
				{props.tabs.map(([name, text]) => (
					<button
						key={name}
						type="button"
						role="tab"
						class="tab"
						id={`${id}-${name}`}
						aria-selected={name === props.value}
						aria-controls={`${id}-panel`}
						tabIndex={name === props.value ? 0 : -1}
						onClick={() => props.onChange(name)}
					>
						{text}
					</button>
				))}
			</div>
			<div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${props.value}`} class="tab-panel" tabIndex={-1}>
				{props.children}
			</div>
		</>
	);
}
