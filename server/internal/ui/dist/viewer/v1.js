import "./viewer-VBLO5ERP.js";
