import{y as e}from"./chunk-LXLK62WR.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
