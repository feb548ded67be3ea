import{y as e}from"./chunk-7KGN3BT6.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
