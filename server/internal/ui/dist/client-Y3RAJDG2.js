import{e as a,f as b,g as c,h as d,i as e,j as f}from"./chunk-QIL2JWAZ.js";import"./chunk-6OMHQCXA.js";export{a as Problem,c as address,f as api,e as ask,b as onSessionEnd,d as send};
