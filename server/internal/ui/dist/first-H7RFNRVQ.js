(()=>{try{let t=localStorage.getItem("daybook.theme");(t==="light"||t==="dark")&&(document.documentElement.dataset.theme=t)}catch{}})();
