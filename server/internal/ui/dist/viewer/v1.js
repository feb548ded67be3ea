import "./viewer-MS33XUYO.js";
