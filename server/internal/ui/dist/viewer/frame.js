import "./frame-2GVI646V.js";
