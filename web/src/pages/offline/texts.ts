// What the label of a file says.
import texts from "../../messages/en/offline.json";
import { withTexts } from "../../messages/messages";

export const t = withTexts(texts);
