import "./demo-RV5YNXMS.js";
