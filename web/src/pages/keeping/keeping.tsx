// How long entries are kept, what is held, and what was erased.
import { useEffect } from "preact/hooks";
import { useRoute } from "preact-iso/router";
import { useUrl } from "../../state/url";
import { Tabs } from "../../ui/tabs";
import { zoneOf } from "../../ui/time";
import { Erasures } from "./erasures";
import { Holds } from "./holds";
import { Rules } from "./rules";
import { t } from "./texts";

const tabs = ["rules", "holds", "erasures"] as const;

export default function Keeping() {
	const { org = "" } = useRoute().params;
	const url = useUrl();
	const zone = zoneOf(url.get("tz"));
	const tab = tabs.find((one) => one === url.get("tab")) ?? "rules";
	useEffect(() => {
		document.title = `${t("keeping")} · Daybook`;
	}, []);
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("keeping")}</h1>
			</div>
			<div class="page-body">
				<Tabs
					label={t("keeping")}
					value={tab}
					tabs={tabs.map((one): [typeof one, string] => [one, t(`keeping.${one}`)])}
					onChange={(one) => url.set({ tab: one === "rules" ? null : one, new: null }, true)}
				>
					{tab === "rules" ? <Rules org={org} zone={zone} /> : tab === "holds" ? <Holds org={org} zone={zone} /> : <Erasures org={org} zone={zone} />}
				</Tabs>
			</div>
		</div>
	);
}
