import "./viewer-Y5JUR4LN.js";
