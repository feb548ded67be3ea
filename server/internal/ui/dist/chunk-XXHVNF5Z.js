import{L as e}from"./chunk-7XZTRSZO.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
