import "./viewer-ERKWXLEF.js";
