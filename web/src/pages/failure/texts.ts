// What the banner over a log that failed says.
import texts from "../../messages/en/failure.json";
import { withTexts } from "../../messages/messages";

export const t = withTexts(texts);
