import{d as l}from"./chunk-FRJ6CQJJ.js";import{a as A}from"./chunk-AZMBS5HJ.js";import{a as T}from"./chunk-PRP7S33I.js";import{b as O,d as p}from"./chunk-HMPLCXFK.js";import"./chunk-GM7D5T4U.js";import"./chunk-ENC3FPAH.js";import{f as $,g as w}from"./chunk-7YECX4RS.js";import{a as v,b as k}from"./chunk-DQIBTRLT.js";import"./chunk-ZMS3RHM2.js";import"./chunk-B6K42VPD.js";import{e as u,g as f}from"./chunk-2X5MCWGD.js";import{E as o,H as t,J as g,L as h,O as b,j as d,z as y}from"./chunk-N5YLIFYM.js";import"./chunk-QZNV7ILN.js";var B=["curl","go","node","python","cli"],E={curl:"curl",go:"Go",node:"Node",python:"Python",cli:"CLI"};function I(r,a,s){let i='{"action":"invoice.sent","actor":{"type":"user","id":"usr_1","name":"Ada Byron"},"targets":[{"type":"invoice","id":"42","name":"Invoice 42"}]}';switch(r){case"curl":return`curl ${a}/v1/events \\
  -H 'Authorization: Bearer KEY' -H 'Daybook-Org: ${s}' \\
  -H 'Content-Type: application/json' \\
  -d '${i}'`;case"go":return`c, err := client.New(client.Options{URL: "${a}", Key: "KEY", Org: "${s}"})
if err != nil {
	return err
}
receipt, err := c.Record(ctx, daybook.Event{
	Action:  "invoice.sent",
	Actor:   daybook.Actor{Type: "user", ID: "usr_1", Name: "Ada Byron"},
	Targets: []daybook.Target{{Type: "invoice", ID: "42", Name: "Invoice 42"}},
})`;case"node":return`await fetch("${a}/v1/events", {
  method: "POST",
  headers: { "Authorization": "Bearer KEY", "Daybook-Org": "${s}", "Content-Type": "application/json" },
  body: JSON.stringify(${i}),
});`;case"python":return`import json, urllib.request
urllib.request.urlopen(urllib.request.Request("${a}/v1/events", method="POST",
    headers={"Authorization": "Bearer KEY", "Daybook-Org": "${s}", "Content-Type": "application/json"},
    data=json.dumps(${i}).encode()))`;case"cli":return`export DAYBOOK_SERVER=${a} DAYBOOK_API_KEY=KEY DAYBOOK_ORG=${s}
daybook record invoice.sent --actor 'user:usr_1=Ada Byron' --target 'invoice:42=Invoice 42'`}}function K(){let{org:r=""}=u().params,a=f(),s=v(a.get("tz")),i=B.find(n=>n===a.get("way"))??"curl",e=T(async n=>(await y.events(r,{q:"-action:daybook.*",limit:1},n)).entries[0]??null,[r]);w(r),d(()=>{document.title=`${o("start")} · Daybook`},[]),d(()=>{if(e.data)return;let n=setInterval(e.again,2e3);return()=>clearInterval(n)},[e.data===null||e.data===void 0]);let m=I(i,window.location.origin,r),c=`/o/${encodeURIComponent(r)}`;return t("div",{class:"page",children:[t("div",{class:"page-head",children:t("h1",{children:o("start")})}),e.problem?t(b,{problem:e.problem,onRetry:e.again}):null,t("div",{class:"page-body start",children:[t("p",{class:"muted",children:o("start.about")}),t("section",{class:"stack wide",children:[t("h2",{children:o("start.copy")}),t("p",{children:[o("start.key")," ",l("manage")?t("a",{href:`${c}/settings/keys?new=1`,children:o("start.key.make")}):null]}),t(A,{label:o("start.copy"),value:i,tabs:B.map(n=>[n,E[n]]),onChange:n=>a.set({way:n}),children:[t("pre",{class:"command",children:m}),t(g,{small:!0,icon:"copy",onClick:()=>{h(m)},children:o("copy")})]})]}),t("section",{class:"stack wide","aria-live":"polite",children:[t("h2",{children:o(e.data?"start.here":"start.wait")}),e.data?t("div",{class:"start-row line",children:[t("time",{class:"mono muted",dateTime:p(e.data),children:k(p(e.data),s)}),t("bdi",{children:O(e.data).whole}),t($,{entry:e.data})]}):null]}),e.data?t("section",{class:"stack",children:[t("h2",{children:o("start.next")}),t("a",{href:`${c}/events?range=all&sel=${e.data.id}&tab=proof`,children:o("start.see")}),l("manage")?t("a",{href:`${c}/settings/keys?new=1`,children:o("start.keys")}):null,l("manage")?t("a",{href:`${c}/settings/retention`,children:o("start.keep")}):null,t("a",{href:"/docs/api",target:"_blank",rel:"noreferrer",children:o("start.docs")})]}):null]})]})}export{K as default};
