import{f as a,g as b,h as c,i as d,j as e,k as f}from"./chunk-AC6W3Y2M.js";import"./chunk-QZNV7ILN.js";export{a as Problem,c as address,f as api,e as ask,b as onSessionEnd,d as send};
