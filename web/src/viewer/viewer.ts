import { DaybookViewer } from "./element";

if (!customElements.get("daybook-viewer")) customElements.define("daybook-viewer", DaybookViewer);
