import "./viewer-PMCBYXQX.js";
