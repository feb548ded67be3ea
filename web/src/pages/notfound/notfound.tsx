import { useEffect } from "preact/hooks";
import { t } from "../../messages/messages";
import { LinkButton } from "../../ui/button";
import { Empty } from "../../ui/notice";

/** What is missing and what is somebody else's look the same. */
export default function NotFound() {
	useEffect(() => {
		document.title = `${t("notfound")} · Daybook`;
	}, []);
	return (
		<Empty page title={t("notfound")}>
			<p>{t("notfound.about")}</p>
			<LinkButton href="/">{t("notfound.home")}</LinkButton>
		</Empty>
	);
}
