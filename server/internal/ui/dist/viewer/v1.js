import "./viewer-FWJKAXY2.js";
