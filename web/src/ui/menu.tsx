// A button with a menu. The menu is a popover: the browser puts it on top and closes it on Esc and on a click elsewhere.
import type { ComponentChildren } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import { Button } from "./button";
import { Icon, type IconName } from "./icon";

type ButtonProps = Parameters<typeof Button>[0];

/** Puts a popover at its button, inside the window. */
export function place(popup: HTMLElement, at: DOMRect, end = false): void {
	const margin = 8;
	const { width, height } = popup.getBoundingClientRect();
	const wanted = end ? at.right - width : at.left;
	const left = Math.max(margin, Math.min(wanted, window.innerWidth - width - margin));
	const below = at.bottom + 4;
	const top = below + height + margin > window.innerHeight && at.top - height - 4 > margin ? at.top - height - 4 : below;
	popup.style.left = `${left}px`;
	popup.style.top = `${Math.max(margin, Math.min(top, window.innerHeight - height - margin))}px`;
}

/** A button that opens what stands in it; arrow keys walk through rows of role menuitem. */
export function Menu(props: { button: ButtonProps; end?: boolean; panel?: boolean; label: string; children: (close: () => void) => ComponentChildren }) {
	const [open, setOpen] = useState(false);
	const id = useId();
	const popup = useRef<HTMLDivElement>(null);
	const button = useRef<HTMLButtonElement>(null);
	const close = () => {
		popup.current?.hidePopover();
		button.current?.focus();
	};
	const toggle = () => {
		if (open) {
			popup.current?.hidePopover();
		} else {
			popup.current?.showPopover();
		}
	};
	const opened = (event: { newState: string }) => {
		const isOpen = event.newState === "open";
		setOpen(isOpen);
		if (isOpen) {
			requestAnimationFrame(() => {
				const el = popup.current;
				if (!el || !button.current) return;
				place(el, button.current.getBoundingClientRect(), props.end);
				el.querySelector<HTMLElement>(props.panel ? "input,button,select,a" : "[role^=menuitem]")?.focus();
			});
		}
	};
	return (
		<>
			<Button {...props.button} popup={props.panel ? "dialog" : "menu"} expanded={open} onClick={toggle} buttonRef={button} />
			<div
				id={id}
				class="popup"
				popover="auto"
				role={props.panel ? "dialog" : "menu"}
				aria-label={props.label}
				ref={popup}
				onToggle={opened}
				onKeyDown={(event) => {
					if (event.key === "Escape") {
						event.stopPropagation();
						close();
					} else if (!props.panel) {
						walk(event);
					}
				}}
			>
				{open ? props.children(close) : null}
			</div>
		</>
	);
}

/** Moves the focus among the rows of a menu. */
export function walk(event: KeyboardEvent): void {
	const rows = Array.from((event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role^=menuitem]"));
	const at = rows.indexOf(document.activeElement as HTMLElement);
	const next = { ArrowDown: at + 1, ArrowUp: at - 1 + (at < 0 ? rows.length + 1 : 0), Home: 0, End: rows.length - 1 }[event.key];
	if (next === undefined || rows.length === 0) return;
	event.preventDefault();
	event.stopPropagation();
	rows[(next + rows.length) % rows.length]?.focus();
}

/** A row of a menu: an action, a choice (checked) or a link. */
export function MenuRow(props: {
	icon?: IconName;
	checked?: boolean;
	disabled?: boolean;
	/** The choice is one of several that may hold at once. */
	many?: boolean;
	href?: string;
	native?: boolean;
	onClick?: () => void;
	children: ComponentChildren;
}) {
	const icon = props.checked === undefined ? props.icon : props.checked ? "check" : undefined;
	const inside = (
		<>
			{icon ? <Icon name={icon} /> : <span class="icon" />}
			<span>{props.children}</span>
		</>
	);
	if (props.href !== undefined) {
		return (
			<a class="menu-row" role="menuitem" tabIndex={-1} href={props.href} target={props.native ? "_blank" : undefined} rel="noreferrer" onClick={props.onClick}>
				{inside}
			</a>
		);
	}
	return (
		<button
			type="button"
			class="menu-row"
			tabIndex={-1}
			role={props.checked === undefined ? "menuitem" : props.many ? "menuitemcheckbox" : "menuitemradio"}
			aria-checked={props.checked}
			aria-disabled={props.disabled ? "true" : undefined}
			onClick={() => {
				if (!props.disabled) props.onClick?.();
			}}
		>
			{inside}
		</button>
	);
}
