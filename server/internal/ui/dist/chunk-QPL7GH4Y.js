import{j as e}from"./chunk-DSRMI6F4.js";function i(t,r){return e("/v1/summary",{org:t,...r?{signal:r}:{}})}export{i as a};
