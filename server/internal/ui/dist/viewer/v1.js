import "./viewer-ABYIG7Y2.js";
