import{L as e}from"./chunk-T6ULU55Q.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
