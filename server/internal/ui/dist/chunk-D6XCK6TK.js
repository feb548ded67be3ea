import{b as t}from"./chunk-B6K42VPD.js";function e(r){return t(r.name||r.email||r.id)}export{e as a};
