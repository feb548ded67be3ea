import "./viewer-PYX7EMTB.js";
