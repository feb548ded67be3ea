import type { AnchorHTMLAttributes, ButtonHTMLAttributes, ComponentChildren, MouseEventHandler, Ref } from "preact";
import { Icon, type IconName } from "./icon";

type Props = {
	icon?: IconName;
	/** What is read, and shown as a tooltip, when there is no text. */
	label?: string;
	kind?: "normal" | "primary" | "danger" | "plain";
	small?: boolean;
	pressed?: boolean;
	disabled?: boolean;
	expanded?: boolean;
	type?: "button" | "submit";
	class?: string;
	title?: string;
	onClick?: (event: MouseEvent) => void;
	buttonRef?: Ref<HTMLButtonElement>;
	children?: ComponentChildren;
	popup?: "menu" | "dialog" | "listbox";
};

function classes(props: Props): string {
	const kind = props.kind && props.kind !== "normal" ? ` ${props.kind}` : "";
	return `button${kind}${props.small ? " small" : ""}${props.children === undefined ? " only-icon" : ""} ${props.class ?? ""}`.trim();
}

/** A button: a text, an icon with a label, or both. */
export function Button(props: Props) {
	const bare = props.children === undefined;
	const title = props.title ?? (bare ? props.label : undefined);
	const attributes: ButtonHTMLAttributes<HTMLButtonElement> = {};
	if (props.label !== undefined) attributes["aria-label"] = props.label;
	if (title !== undefined) attributes.title = title;
	if (props.pressed !== undefined) attributes["aria-pressed"] = props.pressed;
	if (props.expanded !== undefined) attributes["aria-expanded"] = props.expanded;
	if (props.popup !== undefined) attributes["aria-haspopup"] = props.popup;
	if (props.disabled !== undefined) attributes.disabled = props.disabled;
	if (props.onClick !== undefined) attributes.onClick = props.onClick;
	return (
		<button {...attributes} type={props.type ?? "button"} class={classes(props)} ref={props.buttonRef ?? null}>
			{props.icon ? <Icon name={props.icon} /> : null}
			{props.children}
		</button>
	);
}

/** A link that looks like a button. */
export function LinkButton(props: Props & { href: string; download?: boolean | string; external?: boolean }) {
	const bare = props.children === undefined;
	const attributes: AnchorHTMLAttributes<HTMLAnchorElement> = { href: props.href };
	if (props.label !== undefined) attributes["aria-label"] = props.label;
	if (bare && props.label !== undefined) attributes.title = props.label;
	if (props.download !== undefined) attributes.download = props.download;
	if (props.external) attributes.target = "_blank";
	if (props.external) attributes.rel = "noreferrer";
	if (props.onClick !== undefined) attributes.onClick = props.onClick as unknown as MouseEventHandler<HTMLAnchorElement>;
	return (
		<a {...attributes} class={classes(props)}>
			{props.icon ? <Icon name={props.icon} /> : null}
			{props.children}
		</a>
	);
}
