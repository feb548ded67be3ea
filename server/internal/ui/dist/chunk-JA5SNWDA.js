import{y as e}from"./chunk-OCLQ4PPK.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
