import{L as e}from"./chunk-PK3YEJ5C.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
