// A modal dialog: focus begins in its first field and stays inside, Esc closes, focus returns to where it was.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../messages/messages";
import { Button } from "./button";

/** Shows while it is mounted. onClose must unmount it. Without onClose it cannot be closed by the person. */
export function Dialog(props: { title: string; onClose?: () => void; class?: string; foot?: ComponentChildren; children: ComponentChildren }) {
	const dialog = useRef<HTMLDialogElement>(null);
	const title = useId();
	useEffect(() => {
		const before = document.activeElement;
		dialog.current?.showModal();
		dialog.current?.querySelector<HTMLElement>(".dialog-body :is(input, select, textarea):not([tabindex='-1'])")?.focus();
		return () => {
			if (before instanceof HTMLElement) before.focus();
		};
	}, []);
	return (
		<dialog
			ref={dialog}
			class={`dialog ${props.class ?? ""}`}
			aria-labelledby={title}
			onCancel={(event) => {
				event.preventDefault();
				props.onClose?.();
			}}
			onClose={() => {
				// A second Esc in a row closes it whatever the page says.
				if (props.onClose) props.onClose();
				else dialog.current?.showModal();
			}}
			onClick={(event) => {
				if (event.target === dialog.current) props.onClose?.();
			}}
		>
			<div class="dialog-head">
				<h2 id={title}>{props.title}</h2>
				<span class="spacer" />
				{props.onClose ? <Button icon="x" kind="plain" label={t("close")} onClick={props.onClose} /> : null}
			</div>
			<div class="dialog-body">{props.children}</div>
			{props.foot ? <div class="dialog-foot">{props.foot}</div> : null}
		</dialog>
	);
}
