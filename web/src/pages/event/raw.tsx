// The stored text as a tree. Numbers keep their digits, members their order.
import { useState } from "preact/hooks";
import { type Json, Num, readJSON } from "../../json/read";
import { visible } from "../../sentence/visible";
import { Button } from "../../ui/button";
import { copy } from "../../ui/copy";
import { Icon } from "../../ui/icon";
import { t } from "./texts";

/** Members and elements that are shown at once; the rest comes on demand. */
const most = 200;

export function Raw(props: { org: string; id: string; text: string }) {
	const curl = `curl -s ${location.origin}/v1/events/${props.id} -H "Authorization: Bearer $DAYBOOK_API_KEY" -H 'Daybook-Org: ${props.org.replace(/'/g, "'\\''")}'`;
	return (
		<div class="raw">
			<div class="line">
				<Button small icon="copy" onClick={() => void copy(props.text)}>
					{t("raw.copy")}
				</Button>
				<Button small icon="copy" onClick={() => void copy(curl)}>
					{t("raw.curl")}
				</Button>
			</div>
			<ul class="tree mono">
				<Node name="" path="" value={readJSON(props.text)} open />
			</ul>
		</div>
	);
}

function Node(props: { name: string; path: string; value: Json; open?: boolean }) {
	const { name, path, value } = props;
	const nested = Array.isArray(value) || value instanceof Map;
	const size = Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
	const [open, setOpen] = useState(props.open ?? size <= 20);
	const [shown, setShown] = useState(most);
	const label = name === "" && path === "" ? null : <span class="tree-name">{visible(name)}: </span>;
	if (!nested || size === 0) {
		return (
			<li class="tree-leaf">
				{label}
				<Leaf value={value} />
				<CopyButtons path={path} value={value} />
			</li>
		);
	}
	const children = Array.isArray(value) ? value.map((v, i): [string, Json] => [String(i), v]) : Array.from(value as Map<string, Json>);
	return (
		<li>
			<button type="button" class="tree-open" aria-expanded={open} onClick={() => setOpen(!open)}>
				<Icon name={open ? "chevron-down" : "chevron-right"} />
				{label}
				<span class="muted">{Array.isArray(value) ? `[${size}]` : `{${size}}`}</span>
			</button>
			{open ? (
				<ul>
					{children.slice(0, shown).map(([n, v]) => (
						<Node key={n} name={n} path={`${path}/${n.replace(/~/g, "~0").replace(/\//g, "~1")}`} value={v} />
					))}
					{children.length > shown ? (
						<li>
							<button type="button" class="link-button" onClick={() => setShown(shown + most)}>
								{t("facet.more", { n: children.length - shown })}
							</button>
						</li>
					) : null}
				</ul>
			) : null}
		</li>
	);
}

function Leaf(props: { value: Json }) {
	const { value } = props;
	if (value instanceof Num) return <span class="tree-value">{value.text}</span>;
	if (typeof value === "string") return <bdi class="tree-value">{visible(JSON.stringify(value))}</bdi>;
	return <span class="tree-value muted">{value instanceof Map ? "{}" : Array.isArray(value) ? "[]" : String(value)}</span>;
}

function CopyButtons(props: { path: string; value: Json }) {
	const text = props.value instanceof Num ? props.value.text : typeof props.value === "string" ? props.value : String(props.value);
	return (
		<span class="tree-copy">
			<button type="button" class="link-button" onClick={() => void copy(text)}>
				{t("raw.value")}
			</button>{" "}
			<button type="button" class="link-button" onClick={() => void copy(props.path)}>
				{t("raw.path")}
			</button>
		</span>
	);
}
