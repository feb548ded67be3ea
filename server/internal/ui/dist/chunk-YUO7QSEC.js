import{j as e}from"./chunk-AC6W3Y2M.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
