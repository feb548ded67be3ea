// What tells people something: empty states, banners, skeletons, toasts and the one live region.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Problem } from "../api/client";
import { t } from "../messages/messages";
import { Button } from "./button";
import { copy } from "./copy";

/** Nothing to show, and what to do about it. */
export function Empty(props: { title: string; page?: boolean; children?: ComponentChildren }) {
	const Title = props.page ? "h1" : "h2";
	return (
		<div class="empty">
			<Title>{props.title}</Title>
			{props.children}
		</div>
	);
}

/** A line over the whole width. */
export function Banner(props: { kind?: "danger" | "warn" | "normal"; children: ComponentChildren }) {
	return (
		<div class={`banner ${props.kind ?? ""}`} role={props.kind === "danger" ? "alert" : "status"}>
			{props.children}
		</div>
	);
}

/** What went wrong in words, with Retry and the request id to copy. */
export function ProblemBanner(props: { problem: unknown; onRetry?: () => void }) {
	const p = props.problem;
	const text = p instanceof Problem ? p.message : t("error.unexpected", { message: String(p) });
	return (
		<Banner kind="danger">
			<span>{p instanceof Problem && p.status === 403 ? t("error.forbidden", { detail: text }) : text}</span>
			{props.onRetry ? (
				<button type="button" class="link-button" onClick={props.onRetry}>
					{t("retry")}
				</button>
			) : null}
			{p instanceof Problem && p.requestId ? (
				<button type="button" class="link-button mono" onClick={() => copy(p.requestId)} title={t("copy.request-id")}>
					{p.requestId}
				</button>
			) : null}
		</Banner>
	);
}

/** A bar where text will be. */
export function Skeleton(props: { width: string }) {
	return <span class="skeleton" style={{ width: props.width }} />;
}

type Toast = { n: number; text: string; action?: { text: string; run: () => void } };
const toasts = signal<Toast[]>([]);
const said = signal("");
let last = 0;

/** Shows a line for six seconds, with something to do for twenty, and reads it out. */
export function toast(text: string, action?: Toast["action"]): void {
	last += 1;
	const n = last;
	toasts.value = [...toasts.value.slice(-2), action ? { n, text, action } : { n, text }];
	setTimeout(() => dismiss(n), action ? 20_000 : 6000);
}

function dismiss(n: number): void {
	toasts.value = toasts.value.filter((one) => one.n !== n);
}

let saidAt = 0;
let waiting: ReturnType<typeof setTimeout> | undefined;

/** Reads text out politely, at most every 10 seconds: the newest wins. */
export function say(text: string): void {
	clearTimeout(waiting);
	const wait = Math.max(0, saidAt + 10_000 - Date.now());
	waiting = setTimeout(() => {
		saidAt = Date.now();
		said.value = text;
	}, wait);
}

/** The places where toasts and the live region stand; once in the page. */
export function Announcer() {
	return (
		<>
			<div class="toasts" role="status" aria-live="polite">
				{toasts.value.map((one) => (
					<div class="toast" key={one.n}>
						<span>{one.text}</span>
						{one.action ? (
							<Button
								small
								onClick={() => {
									one.action?.run();
									dismiss(one.n);
								}}
							>
								{one.action.text}
							</Button>
						) : null}
						<Button small kind="plain" icon="x" label={t("close")} onClick={() => dismiss(one.n)} />
					</div>
				))}
			</div>
			<div class="hidden-text" role="status" aria-live="polite">
				{said.value}
			</div>
		</>
	);
}
