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

/** A labelled text field with its note and its error. */
export function Field(props: Props) {
	const id = useId();
	const described = [props.error ? `${id}-error` : "", props.note ? `${id}-note` : ""].filter(Boolean).join(" ");
	return (
		<div class="field">
			<label class="field-label" for={id}>
				{props.label}
			</label>
			<input
				{...props.attributes}
				id={id}
				ref={props.inputRef ?? null}
				class={`input ${props.mono ? "mono" : ""}`}
				value={props.value}
				aria-invalid={props.error ? "true" : undefined}
				aria-describedby={described || undefined}
				onInput={(event) => props.onInput(event.currentTarget.value)}
			/>
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

/** A labelled text of several lines, with its note and its error. */
export function Area(props: { label: string; value: string; rows: number; onInput: (value: string) => void; note?: string; error?: string }) {
	const id = useId();
	const described = [props.error ? `${id}-error` : "", props.note ? `${id}-note` : ""].filter(Boolean).join(" ");
	return (
		<div class="field">
			<label class="field-label" for={id}>
				{props.label}
			</label>
			<textarea
				id={id}
				class="input mono"
				rows={props.rows}
				spellcheck={false}
				value={props.value}
				aria-invalid={props.error ? "true" : undefined}
				aria-describedby={described || undefined}
				onInput={(event) => props.onInput(event.currentTarget.value)}
			/>
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
