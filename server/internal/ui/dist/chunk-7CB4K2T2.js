import{y as e}from"./chunk-PCYX6PZQ.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
