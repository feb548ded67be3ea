import{j as e}from"./chunk-6RQ3I4MX.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
