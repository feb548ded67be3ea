import{f as a,g as b,h as c,i as d,j as e,k as f}from"./chunk-6RQ3I4MX.js";import"./chunk-QZNV7ILN.js";export{a as Problem,c as address,f as api,e as ask,b as onSessionEnd,d as send};
