import "./viewer-42CK6VP5.js";
