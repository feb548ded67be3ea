import "./viewer-IANFSZDG.js";
