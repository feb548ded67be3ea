import{j as r}from"./chunk-Q7CDTOHP.js";function i(t,e){return r("/v1/summary",{org:t,...e?{signal:e}:{}})}export{i as a};
