// The search box: one line, painted by the tokenizer, completed and judged by the server. Typing does not search, since every search is
// recorded in the log: Enter does.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import lazy from "preact-iso/lazy";
import { ask, inWords } from "../../api/client";
import type { QueryError } from "../../api/types";
import { t } from "../../messages/messages";
import { partner, tokens, toPoints, toUnits } from "../../query/tokens";
import { shortcuts } from "../../state/prefs";
import { Button } from "../../ui/button";

const QueryHelp = lazy(() => import("../queryhelp/queryhelp"));

type Completion = { text: string; means: string; from: number; to: number; count?: number };
type Completions = { completions: Completion[]; query_error?: QueryError };

/** What the server offers for a text: their places are places in that text. chosen is one of them, or -1. */
type Offer = { of: string; found: Completion[]; chosen: number };

const nothing: Offer = { of: "", found: [], chosen: -1 };

/** How long nobody types before the server is asked. */
const pause = 120;

/** Keys that move the caret, or open the list. What types is an input of its own. */
const moving = /^(Arrow|Home|End)/;

type Props = { org: string; tz: string; value: string; error: QueryError | null; onSearch: (query: string) => void };

export function QueryBox(props: Props) {
	const [text, setText] = useState(props.value);
	const [caret, setCaret] = useState(-1);
	const [{ of, found, chosen }, setOffer] = useState(nothing);
	const [wrong, setWrong] = useState<QueryError | null>(props.error);
	const [scrolled, setScrolled] = useState(0);
	const [helping, setHelping] = useState(false);
	const offered = useRef("");
	const input = useRef<HTMLInputElement>(null);
	const place = useRef(-1); // where the caret goes with the next text
	const id = useId();

	const [value, setValue] = useState(props.value);
	if (value !== props.value) {
		// Now and not after the paint: what is typed in between would be lost.
		setValue(props.value);
		setText(props.value);
	}
	useEffect(() => setWrong(props.error), [props.error]);

	useEffect(() => {
		if (caret < 0) return;
		const abort = new AbortController();
		const timer = setTimeout(() => {
			ask<Completions>("/v1/complete", { org: props.org, params: { q: text, pos: toPoints(text, caret), tz: props.tz }, signal: abort.signal })
				.then((answer) => {
					// Who has chosen one keeps it: Enter may be on its way.
					setOffer((was) => ({ of: text, found: answer.completions, chosen: answer.completions.findIndex((c) => c.text === was.found[was.chosen]?.text) }));
					setWrong(inWords(answer.query_error));
				})
				.catch(() => {
					if (!abort.signal.aborted) setOffer(nothing); // the box works without
				});
		}, pause);
		return () => {
			clearTimeout(timer);
			abort.abort();
		};
	}, [text, caret, props.org, props.tz]);

	const accept = (c: Completion) => {
		const [before, after] = [of.slice(0, toUnits(of, c.from)), of.slice(toUnits(of, c.to))];
		const word = text.slice(before.length, text.length - after.length);
		// The word may have grown since it was answered for. When it has become another one, nothing is changed: an answer is on its way.
		if (text === of || (text === before + word + after && c.text.startsWith(word))) put(before + c.text + after, before.length + c.text.length);
	};
	const put = (next: string, at: number) => {
		setText(next);
		setOffer(nothing);
		place.current = at;
	};
	useLayoutEffect(() => {
		if (place.current < 0) return;
		input.current?.focus();
		input.current?.setSelectionRange(place.current, place.current);
		setCaret(place.current);
		place.current = -1;
	});
	const close = () => {
		setOffer(nothing);
		setCaret(-1);
	};
	const choose = (at: number) => setOffer({ of, found, chosen: at });
	const search = (query: string) => {
		close();
		props.onSearch(query.trim());
	};
	const keys = (event: KeyboardEvent) => {
		const open = found.length > 0;
		if (event.key === "ArrowDown" && open) choose((chosen + 1) % found.length);
		else if (event.key === "ArrowUp" && open) choose((chosen > 0 ? chosen : found.length) - 1);
		else if (event.key === "Tab" && open && !event.shiftKey) accept(found[Math.max(0, chosen)] as Completion);
		else if (event.key === "Enter" && open && chosen >= 0) accept(found[chosen] as Completion);
		else if (event.key === "Enter") search(text);
		else if (event.key === "?" && shortcuts.value === "on" && !quoted(text, input.current?.selectionStart ?? 0)) setHelping(true);
		else if (event.key === "Escape" && open) close();
		else if (event.key === "Escape") input.current?.blur();
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	/** What the help offers: an example in place of the text, a field at its end. It is written when the dialog has given the focus back. */
	const write = (what: string, whole: boolean) => {
		offered.current = whole || text.trim() === "" ? what : `${text.trimEnd()} ${what}`;
		setHelping(false);
	};
	useEffect(() => {
		const next = offered.current;
		if (helping || next === "") return;
		offered.current = "";
		put(next, next.length);
	}, [helping]);
	const see = () => {
		const el = input.current;
		if (el && document.activeElement === el) setCaret(el.selectionStart ?? 0);
		setScrolled(input.current?.scrollLeft ?? 0);
	};
	const first = found[0];
	const shown = wrong && !(found.length > 0 && chosen < 0 && wrong.code === "missing_value") ? wrong : null;
	/** Under the word that is completed, as far as the list fits there. */
	const below = `min(max(0px, calc(${first?.from ?? 0} * 1ch - ${scrolled}px)), calc(100% - 16rem))`;
	return (
		<search class="query">
			<div class="query-box">
				<Paint text={text} caret={caret} error={shown} scrolled={scrolled} />
				<input
					ref={input}
					id={`${id}-input`}
					class="input mono query-input"
					type="text"
					role="combobox"
					aria-label={t("query")}
					aria-expanded={found.length > 0}
					aria-controls={`${id}-list`}
					aria-autocomplete="list"
					aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
					aria-invalid={shown ? "true" : undefined}
					aria-describedby={shown ? `${id}-error` : undefined}
					autocomplete="off"
					autocapitalize="off"
					spellcheck={false}
					placeholder={t("query.placeholder")}
					value={text}
					data-query
					onInput={(event) => {
						setText(event.currentTarget.value);
						see();
					}}
					onKeyDown={keys}
					onKeyUp={(event) => {
						if (moving.test(event.key)) see(); // the others would open again what they have closed
					}}
					onClick={see}
					onScroll={see}
					onFocus={see}
					onBlur={close}
				/>
				<span class="query-buttons">
					{text ? <Button kind="plain" small icon="x" label={t("query.clear")} onClick={() => search("")} /> : null}
					<Button kind="plain" small icon="circle-question-mark" label={t("query.help")} popup="dialog" onClick={() => setHelping(true)} />
				</span>
				<div
					class="query-list"
					id={`${id}-list`}
					role="listbox"
					aria-label={t("query.completions")}
					hidden={found.length === 0}
					style={{ insetInlineStart: below, maxWidth: `calc(100% - ${below})` }}
				>
					{found.map((c, i) => (
						<div
							key={`${c.text}-${i}`}
							id={`${id}-${i}`}
							class="query-option"
							role="option"
							aria-selected={i === chosen}
							onMouseDown={(event) => {
								event.preventDefault();
								accept(c);
							}}
						>
							<span class="mono cut">{c.text}</span>
							<span class="small muted cut">{c.means}</span>
							{c.count ? <span class="small muted tabular">{c.count}</span> : null}
						</div>
					))}
				</div>
			</div>
			{helping ? <QueryHelp org={props.org} onWrite={write} onClose={() => setHelping(false)} /> : null}
			{shown ? (
				<p class="query-error" id={`${id}-error`} role="alert">
					<span>{shown.message}</span>
					{(shown.suggestions ?? []).slice(0, 3).map((s) => (
						<Button
							key={s}
							small
							onClick={() => {
								const from = toUnits(text, shown.pos);
								const next = text.slice(0, from) + s + text.slice(toUnits(text, shown.pos + shown.len));
								put(next, from + s.length);
							}}
						>
							{s}
						</Button>
					))}
				</p>
			) : null}
		</search>
	);
}

/** Whether a place is in quotes: there "?" is a letter like any other. */
const quoted = (text: string, at: number): boolean => tokens(text.slice(0, at)).some((one) => one.unclosed);

/** The text again, in colours, under an input whose own text is transparent. */
function Paint(props: { text: string; caret: number; error: QueryError | null; scrolled: number }) {
	const pair = props.caret >= 0 ? partner(props.text, props.caret) : undefined;
	const low = props.error ? toUnits(props.text, props.error.pos) : -1;
	const high = props.error ? toUnits(props.text, props.error.pos + Math.max(1, props.error.len)) : -1;
	return (
		<div class="query-paint mono" aria-hidden="true">
			<div style={{ transform: `translateX(${-props.scrolled}px)` }}>
				{tokens(props.text).map((one) => {
					const bad = one.from < high && one.to > low;
					const paired = pair?.includes(one.from) && (one.kind === "open" || one.kind === "close");
					return (
						<span key={one.from} class={`q-${one.kind}${bad ? " q-bad" : ""}${paired ? " q-pair" : ""}`}>
							{props.text.slice(one.from, one.to)}
						</span>
					);
				})}
				{low >= props.text.length ? <span class="q-bad">{"\u00a0"}</span> : null}
			</div>
		</div>
	);
}
