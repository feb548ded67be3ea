import{i as e}from"./chunk-FJ2MRNQ7.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
