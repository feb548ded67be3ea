import { Field } from "../../ui/field";
import { t } from "./texts";

/** Why something is held, released or erased: it goes into the log. */
export function Reason(props: { value: string; onInput: (value: string) => void; error?: string }) {
	return <Field label={t("holds.reason")} note={t("reason.note")} {...props} />;
}
