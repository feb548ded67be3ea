import "./frame-QBFNG35H.js";
