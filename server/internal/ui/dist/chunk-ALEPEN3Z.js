import{j as r}from"./chunk-6EUNPTCC.js";function i(t,e){return r("/v1/summary",{org:t,...e?{signal:e}:{}})}export{i as a};
