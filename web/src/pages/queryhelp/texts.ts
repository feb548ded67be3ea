// What this page says.
import texts from "../../messages/en/queryhelp.json";
import { withTexts } from "../../messages/messages";

export const t = withTexts(texts);
