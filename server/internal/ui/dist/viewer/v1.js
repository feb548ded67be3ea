import "./viewer-RSH7NLSS.js";
