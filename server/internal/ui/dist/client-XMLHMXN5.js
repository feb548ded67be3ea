import{e as a,f as b,g as c,h as d,i as e,j as f}from"./chunk-W2HN6VQA.js";import"./chunk-QZNV7ILN.js";export{a as Problem,c as address,f as api,e as ask,b as onSessionEnd,d as send};
