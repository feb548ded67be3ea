// What the values of a few fields are, each with a box to include and a button to exclude.
import { useState } from "preact/hooks";
import type { Facets as Counts, FacetValue } from "../../api/types";
import { type Key, number, t } from "../../messages/messages";
import { exclude, include, standOf, without, writeValue } from "../../query/terms";
import { visible } from "../../sentence/visible";
import { Button } from "../../ui/button";

const fields: [field: string, text: Key][] = [
	["action", "facet.action"],
	["actor.type", "facet.actor-type"],
	["actor.id", "facet.actor"],
	["target.type", "facet.target-type"],
	["outcome", "facet.outcome"],
];

/** Values shown of a field before "more". */
const few = 10;

type Props = { counts: Counts | undefined; busy: boolean; failed: boolean; query: string; onQuery: (query: string) => void };

export function Facets(props: Props) {
	const [search, setSearch] = useState("");
	return (
		<section class="facets" aria-label={t("facets")} aria-busy={props.busy}>
			<input
				class="input small"
				type="search"
				aria-label={t("facets.search")}
				placeholder={t("facets.search")}
				value={search}
				data-facets
				onInput={(event) => setSearch(event.currentTarget.value)}
			/>
			{props.failed ? <p class="small muted">{t("facets.failed")}</p> : null}
			{fields.map(([field, text]) => (
				<Facet key={field} field={field} title={t(text)} values={props.counts?.facets[field]?.values ?? []} search={search} {...props} />
			))}
		</section>
	);
}

function Facet(props: Props & { field: string; title: string; values: FacetValue[]; search: string }) {
	const [all, setAll] = useState(false);
	const sought = props.search.trim().toLowerCase();
	const values = props.values.filter((v) => !sought || `${v.value} ${v.name ?? ""}`.toLowerCase().includes(sought));
	const shown = all || sought ? values : values.slice(0, few);
	if (shown.length === 0) return null;
	return (
		<fieldset class="facet">
			<legend>{props.title}</legend>
			{shown.map((v) => {
				const written = writeValue(v.value);
				const stand = standOf(props.query, props.field, written);
				const name = visible(v.name ?? v.value);
				return (
					<div key={v.value} class={`facet-row ${stand}`}>
						<label class="facet-label" title={visible(v.name ? `${v.name} · ${v.value}` : v.value)}>
							<input
								type="checkbox"
								checked={stand === "included"}
								onChange={(event) =>
									props.onQuery(event.currentTarget.checked ? include(props.query, props.field, written) : without(props.query, props.field, written))
								}
							/>
							<span class="cut">{name}</span>
						</label>
						<span class="facet-count small muted tabular" title={v.excess ? t("facet.excess", { n: v.excess }) : undefined}>
							{number(v.count)}
						</span>
						<Button
							class="facet-not"
							small
							kind="plain"
							icon="minus"
							pressed={stand === "excluded"}
							label={t("facet.exclude", { value: name })}
							onClick={() => props.onQuery(stand === "excluded" ? without(props.query, props.field, written) : exclude(props.query, props.field, written))}
						/>
					</div>
				);
			})}
			{values.length > shown.length ? (
				<button type="button" class="link-button small" onClick={() => setAll(true)}>
					{t("facet.more", { n: values.length - shown.length })}
				</button>
			) : null}
		</fieldset>
	);
}
