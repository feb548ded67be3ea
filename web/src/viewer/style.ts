/**
 * The viewer's style sheet, adopted by its shadow root: a host's style-src 'self' allows that, and neither <style> nor style="". What a host
 * may set are the --daybook- variables and the parts.
 */
export const css = `
:host{--bg:var(--daybook-bg,light-dark(#fbfbfa,#111210));--surface:var(--daybook-surface,light-dark(#fff,#181917));--text:var(--daybook-text,light-dark(#1b1b18,#ececE6));
--muted:var(--daybook-muted,light-dark(#5c5c56,#a3a69b));--accent:var(--daybook-accent,light-dark(#2449d8,#8fa8ff));--proof:var(--daybook-proof,light-dark(#0a6b4b,#5fd3a0));
--line:var(--daybook-line,light-dark(#e2e2de,#2e302b));--control:light-dark(#8a8a83,#75786f);--danger:light-dark(#b3261e,#ff8a80);--hover:light-dark(#efefeb,#22241f);
--add-bg:light-dark(#ddf4e4,#12331f);--add-fg:light-dark(#0b5a2b,#9be7b4);--del-bg:light-dark(#fbe3e1,#3b1714);--del-fg:light-dark(#8c1d18,#ffb4ab);
--radius:var(--daybook-radius,.375rem);--row:var(--daybook-row,.5rem);
display:block;color-scheme:light dark;color:var(--text);background:var(--bg);font:.875rem/1.4286 var(--daybook-font,system-ui,sans-serif);text-align:start}
:host([hidden]){display:none}
:host([theme=light]){color-scheme:light}
:host([theme=dark]){color-scheme:dark}
*{box-sizing:border-box}
.root{display:flex;flex-direction:column;max-block-size:100%;block-size:100%}
header{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;padding:.75rem 1rem;border-block-end:1px solid var(--line)}
h2{font-size:1rem;line-height:1.5;font-weight:600;margin:0;margin-inline-end:auto}
.box{flex:1 1 12rem;min-inline-size:0}
input,select,button{font:inherit;color:inherit;min-block-size:2rem;border:1px solid var(--control);border-radius:var(--radius);background:var(--surface);padding:.25rem .5rem;max-inline-size:100%}
.box input{inline-size:100%}
button{cursor:pointer;background:var(--surface)}
button:hover{background:var(--hover)}
button:disabled{cursor:default;color:var(--muted)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.list{overflow:auto;flex:1 1 auto;padding-block-end:.5rem}
h3{position:sticky;inset-block-start:0;background:var(--bg);font-size:.75rem;line-height:1.5rem;font-weight:600;color:var(--muted);margin:0;padding:.375rem 1rem .125rem;display:flex;justify-content:space-between;gap:1rem}
ol{list-style:none;margin:0;padding:0}
li{border-block-end:1px solid var(--line)}
.row{display:grid;grid-template-columns:3.25rem minmax(0,1fr);gap:0 .75rem;inline-size:100%;text-align:start;border:0;border-radius:0;background:none;padding:var(--row) 1rem;min-block-size:2.25rem}
.row:focus-visible{outline-offset:-2px}
.row[aria-expanded=true]{background:var(--hover)}
time,.mono{font-family:var(--daybook-mono,ui-monospace,Menlo,monospace);font-size:.75rem;line-height:1.25rem;font-variant-numeric:tabular-nums}
time{color:var(--muted)}
.say{overflow-wrap:anywhere}
.say b{font-weight:600}
.hint{grid-column:2;color:var(--muted);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bad{color:var(--danger)}
.drawer{padding:.25rem 1rem 1rem 5rem;background:var(--surface);overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25rem 1rem;margin:.5rem 0 0}
dt{color:var(--muted)}
dd{margin:0;white-space:pre-wrap}
dd .del{background:var(--del-bg);color:var(--del-fg);text-decoration:line-through;padding-inline:.125rem}
dd .ins{background:var(--add-bg);color:var(--add-fg);text-decoration:none;padding-inline:.125rem}
.line{display:block}
.quiet{color:var(--muted);padding:1rem}
.quiet button{margin-inline-start:.75rem}
.note{display:flex;gap:.75rem;align-items:center;justify-content:space-between;padding:.5rem 1rem;border-block-end:1px solid var(--line);background:var(--surface)}
.alarm{border:2px solid var(--danger);color:var(--danger);font-weight:600}
footer{padding:.5rem 1rem;border-block-start:1px solid var(--line);color:var(--muted);font-size:.75rem}
footer .ok{color:var(--proof)}
.more{display:block;margin:.75rem auto}
.sr{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:40rem){.drawer{padding-inline-start:1rem}}
@container (max-width:30rem){.drawer{padding-inline-start:1rem}header{padding-inline:.75rem}}
@media (prefers-contrast:more){:host{--line:currentColor;--muted:var(--text)}}
@media (forced-colors:active){.row[aria-expanded=true]{outline:2px solid Highlight;outline-offset:-2px}dd .ins{text-decoration:underline}}
`;
