import{j as e}from"./chunk-EL265AB6.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
