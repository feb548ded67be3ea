import type { ComponentChildren, InputHTMLAttributes, Ref } from "preact";
import { useId } from "preact/hooks";

type Props = {
	label: string;
	value: string;
	onInput: (value: string) => void;
	note?: string;
	error?: string;
	mono?: boolean;
	inputRef?: Ref<HTMLInputElement>;
	attributes?: InputHTMLAttributes<HTMLInputElement>;
};

/** What an input needs to be known by its label, its note and its error. */
type Told = { id: string; "aria-invalid": "true" | undefined; "aria-describedby": string | undefined };

function Labelled(props: { label: string; note?: string | undefined; error?: string | undefined; children: (told: Told) => ComponentChildren }) {
	const id = useId();
	const described = [props.error ? `${id}-error` : "", props.note ? `${id}-note` : ""].filter(Boolean).join(" ");
	return (
		<div class="field">
			<label class="field-label" for={id}>
				{props.label}
			</label>
			{props.children({ id, "aria-invalid": props.error ? "true" : undefined, "aria-describedby": described || undefined })}
			{props.error ? (
				<p class="field-error" id={`${id}-error`}>
					{props.error}
				</p>
			) : null}
			{props.note ? (
				<p class="field-note" id={`${id}-note`}>
					{props.note}
				</p>
			) : null}
		</div>
	);
}

/** A labelled text field with its note and its error. */
export function Field(props: Props) {
	return (
		<Labelled label={props.label} note={props.note} error={props.error}>
			{(told) => (
				<input
					{...props.attributes}
					{...told}
					ref={props.inputRef ?? null}
					class={`input ${props.mono ? "mono" : ""}`}
					value={props.value}
					onInput={(event) => props.onInput(event.currentTarget.value)}
				/>
			)}
		</Labelled>
	);
}

/** A labelled text of several lines, with its note and its error. */
export function Area(props: { label: string; value: string; rows: number; onInput: (value: string) => void; note?: string; error?: string }) {
	return (
		<Labelled label={props.label} note={props.note} error={props.error}>
			{(told) => (
				<textarea
					{...told}
					class="input mono"
					rows={props.rows}
					spellcheck={false}
					value={props.value}
					onInput={(event) => props.onInput(event.currentTarget.value)}
				/>
			)}
		</Labelled>
	);
}

/** A labelled choice. */
export function Select(props: {
	label: string;
	value: string;
	hideLabel?: boolean;
	options: [value: string, text: string][];
	onChange: (value: string) => void;
}) {
	const id = useId();
	return (
		<div class="field">
			<label class={props.hideLabel ? "hidden-text" : "field-label"} for={id}>
				{props.label}
			</label>
			<select id={id} class="input" value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
				{props.options.map(([value, text]) => (
					<option key={value} value={value}>
						{text}
					</option>
				))}
			</select>
		</div>
	);
}

/** A labelled checkbox. */
export function Check(props: { checked: boolean; onChange: (checked: boolean) => void; children: ComponentChildren }) {
	return (
		<label class="check">
			<input type="checkbox" checked={props.checked} onChange={(event) => props.onChange(event.currentTarget.checked)} />
			{props.children}
		</label>
	);
}
