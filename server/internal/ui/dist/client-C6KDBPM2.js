import{c as a,d as b,e as c,f as d,g as e,h as f}from"./chunk-UXEABQUB.js";export{a as Problem,c as address,f as api,e as ask,b as onSessionEnd,d as send};
