import "./viewer-WKFUILMF.js";
