import{j as r}from"./chunk-2V4OA67D.js";function i(t,e){return r("/v1/summary",{org:t,...e?{signal:e}:{}})}export{i as a};
