// The routes of the console. A page is a folder below pages/ with a default export, loaded when it is first shown.

import { useEffect } from "preact/hooks";
import lazy from "preact-iso/lazy";
import { LocationProvider, Route, Router, useLocation } from "preact-iso/router";
import Events from "./pages/events/events";
import Home from "./pages/home/home";
import NotFound from "./pages/notfound/notfound";
import SignIn from "./pages/signin/signin";
import { Shell } from "./shell/shell";
import { openSession } from "./state/session";
import "./state/prefs";
import { Announcer } from "./ui/notice";

const Integrity = lazy(() => import("./pages/integrity/integrity"));
const Event = lazy(() => import("./pages/event/event"));
const FindTimeline = lazy(() => import("./pages/timeline/find"));
const Timeline = lazy(() => import("./pages/timeline/timeline"));
const Versions = lazy(() => import("./pages/versions/versions"));
const Views = lazy(() => import("./pages/views/views"));
const OpenView = lazy(() => import("./pages/views/open"));
const Start = lazy(() => import("./pages/start/start"));
const Exports = lazy(() => import("./pages/exports/exports"));
const Keys = lazy(() => import("./pages/keys/keys"));
const Schemas = lazy(() => import("./pages/schemas/schemas"));
const ViewerSettings = lazy(() => import("./pages/viewersettings/viewersettings"));
const Admin = lazy(() => import("./pages/admin/admin"));
const Licences = lazy(() => import("./pages/admin/licences"));
const Keeping = lazy(() => import("./pages/keeping/keeping"));

/** Addresses that the console shows; a link elsewhere is the browser's. */
const scope = /^\/(o\/|signin|admin|portal|$|\?)/;

export function App() {
	useEffect(() => {
		void openSession();
	}, []);
	return (
		<LocationProvider scope={scope}>
			<Routes />
			<Announcer />
		</LocationProvider>
	);
}

/** The sign-in stands alone; everything else stands in the shell. */
function Routes() {
	if (useLocation().path === "/signin") return <SignIn />;
	return (
		<Shell>
			<Router>
				<Route path="/" component={Home} />
				<Route path="/o/:org" component={Home} />
				<Route path="/o/:org/events" component={Events} />
				<Route path="/o/:org/events/:id" component={Event} />
				<Route path="/o/:org/start" component={Start} />
				<Route path="/o/:org/timelines" component={FindTimeline} />
				<Route path="/o/:org/targets/:type/:id" component={Timeline} />
				<Route path="/o/:org/targets/:type/:id/versions" component={Versions} />
				<Route path="/o/:org/actors/:type/:id" component={Timeline} />
				<Route path="/o/:org/views" component={Views} />
				<Route path="/o/:org/views/:slug" component={OpenView} />
				<Route path="/o/:org/exports" component={Exports} />
				<Route path="/o/:org/exports/:id" component={Exports} />
				<Route path="/o/:org/settings/keys" component={Keys} />
				<Route path="/o/:org/settings/retention" component={Keeping} />
				<Route path="/o/:org/settings/schemas" component={Schemas} />
				<Route path="/o/:org/settings/viewer" component={ViewerSettings} />
				<Route path="/admin" component={Admin} />
				<Route path="/admin/licences" component={Licences} />
				<Route path="/admin/:section" component={Admin} />
				<Route path="/o/:org/integrity" component={Integrity} />
				<Route default component={NotFound} />
			</Router>
		</Shell>
	);
}
