import "./viewer-FO7OV36V.js";
