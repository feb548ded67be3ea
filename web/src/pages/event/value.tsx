// A value of an event with its menu: filter to it, exclude it, make it a column, copy it.
import type { ComponentChildren } from "preact";
import { exclude, include } from "../../query/terms";
import { visible } from "../../sentence/visible";
import { copy } from "../../ui/copy";
import { Menu, MenuRow } from "../../ui/menu";
import { t } from "./texts";

/** What the menus of values act on. */
export type ValueActions = { query: string; onQuery: (query: string) => void; onColumn?: (column: string) => void };

/** field is that of the query language; written is the value as a query writes it. */
export function Value(props: ValueActions & { field: string; written: string; text: string; children?: ComponentChildren }) {
	const { field, written, query } = props;
	return (
		<span class="value">
			<bdi class="value-text">{props.children ?? visible(props.text)}</bdi>
			<Menu
				label={t("value.menu", { field })}
				button={{ kind: "plain", small: true, icon: "ellipsis", label: t("value.menu", { field }), class: "value-button" }}
			>
				{(close) => {
					const then = (run: () => void) => () => {
						close();
						run();
					};
					return (
						<>
							<div class="menu-head mono cut">
								{field}:{visible(written)}
							</div>
							<MenuRow icon="filter" onClick={then(() => props.onQuery(include(query, field, written)))}>
								{t("value.filter")}
							</MenuRow>
							<MenuRow icon="filter-x" onClick={then(() => props.onQuery(exclude(query, field, written)))}>
								{t("value.exclude")}
							</MenuRow>
							{props.onColumn ? (
								<MenuRow icon="columns-3" onClick={then(() => props.onColumn?.(field))}>
									{t("value.column")}
								</MenuRow>
							) : null}
							<MenuRow icon="copy" onClick={then(() => void copy(props.text))}>
								{t("copy")}
							</MenuRow>
						</>
					);
				}}
			</Menu>
		</span>
	);
}
