// German: every text of the console in one chunk, for it is loaded before the first paint.
import german from "../sentence/words.de.json";
import admin from "./de/admin.json";
import event from "./de/event.json";
import exports from "./de/exports.json";
import failure from "./de/failure.json";
import integrity from "./de/integrity.json";
import keeping from "./de/keeping.json";
import keys from "./de/keys.json";
import offline from "./de/offline.json";
import queryhelp from "./de/queryhelp.json";
import schemas from "./de/schemas.json";
import start from "./de/start.json";
import timeline from "./de/timeline.json";
import versions from "./de/versions.json";
import viewersettings from "./de/viewersettings.json";
import views from "./de/views.json";
import every from "./de.json";
import type { Language } from "./messages";
import refusals from "./refusals.de.json";

const de: Language = {
	texts: {
		...every,
		...admin,
		...event,
		...exports,
		...failure,
		...integrity,
		...keeping,
		...keys,
		...offline,
		...queryhelp,
		...schemas,
		...start,
		...timeline,
		...versions,
		...viewersettings,
		...views,
	},
	words: german,
	refusals,
};
export default de;
