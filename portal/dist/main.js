import{a as P,b as x,c as U,e as L,f as A,g as E}from"./chunk-64T42VER.js";import{a as I,b as H,c as m}from"./chunk-AUAQMBUA.js";import{a as b,b as O,c as j,d as y}from"./chunk-5HJYI3J3.js";import{a as _}from"./chunk-YSGAXQEM.js";import"./chunk-6VDU4B6A.js";import{c as N,d as C,e as F,f as w,g as M,h as p}from"./chunk-VEPLDJUZ.js";import{a as r,b as D,d as l,f as $}from"./chunk-R6NRDR3T.js";async function Y(t={}){let s=await(await fetch("/__/firebase/init.json")).json(),i=P({...s,authDomain:location.host}),n=x(i,{persistence:E,...t});return s.authEmulatorHost!==void 0&&U(n,`http://${s.authEmulatorHost}`,{disableWarnings:!0}),await n.authStateReady(),n}var Q=/^[=+\-@\t\r]/;function G(t){return t.map(e=>e.map(X).join(",")+`\r
`).join("")}function X(t){if(t===null)return"";if(typeof t=="number")return String(t);let e=Q.test(t)?`'${t}`:t;return/[",\r\n]/.test(e)?`"${e.replaceAll('"','""')}"`:e}var V={title:"Now",isForAdmins:!1,asks:t=>{let e=t.searchParams.get("page");return`/v1/usage?view=now&page_size=500${e===null?"":`&page_token=${encodeURIComponent(e)}`}`},everySeconds:15,view:ee},v=null,Z=[[0,"at once, if a seat is free"],[900,"in 15 minutes"],[3600,"in an hour"],[86400,"in a day"],[7*86400,"in a week"]];function ee(t){let{licenses:e,organization:s}=t.answer;if(e.length===0)return m("No license yet","Your organization has no license. Your vendor adds one; then this screen shows its seats.");let i=`${s.in_use}${s.max===null?"":` of ${s.max}`} seats in use`;return r`
    <p class="hidden" aria-live="polite">${i}</p>
    ${s.max===null?l:r`<p>All licenses together: <strong>${s.in_use} of ${s.max}</strong> seats in use.</p>`}
    <div class="cards">${_(e,n=>n.license_id,n=>te(n,t))}</div>
    ${ie(t)} ${le(t)}
  `}function te(t,e){let{in_use:s,max:i,borrowed:n,overdraft:o,waiting:c,earliest_expiry_at:d}=t;return r`<section class="card" aria-labelledby=${`license-${t.license_id}`}>
    <h2 id=${`license-${t.license_id}`}>${T(t)}</h2>
    ${z[t.status]===void 0?l:r`<p class="problem">${z[t.status]}</p>`}
    <p class="big"><strong>${s}</strong>${i===null?l:r` of ${i}`} <span>${i===1?"seat":"seats"} in use</span></p>
    ${i===null?l:ne(t)}
    <dl>
      ${i===null?l:h("Free",Math.max(0,i-s))}
      ${o.in_use===0?l:h("Above the limit",`${o.in_use} of at most ${o.max}`)}
      ${n.in_use===0&&!n.max?l:h("Borrowed",`${n.in_use}${n.max===null?"":` of at most ${n.max}`}`)}
      ${t.pools.map(a=>h(a.group===null?"Not reserved":`Reserved for ${a.group}`,`${a.in_use} of ${a.max} in use`))}
      ${c.count===0||c.since===null?l:h("Waiting",r`${c.count}, the first since ${w(c.since,e.now)}`)}
      ${d===null?l:h("Next lease ends",M(d,e.now))}
      ${t.expires_at===null?l:h("Contract ends",se(t.expires_at,e.now))}
    </dl>
    ${n.overhang.map(a=>r`<p class="muted">
        Ended, but the device ${a.hardware_id} of ${a.user_email??a.user_id} may still work until
        ${p(a.until,e.now)}, because it has borrowed the seat.
      </p>`)}
  </section>`}var z={active:void 0,inactive:"Switched off: it gives no seats.",not_started:"Not started yet: it gives no seats.",expired:"Ended: it gives no seats. Ask your vendor to renew it.",misconfigured:"Your vendor must correct this license: it gives no seats."},T=t=>t.name??t.license_id,h=(t,e)=>r`<div><dt>${t}</dt><dd>${e}</dd></div>`;function se(t,e){let s=Math.ceil((Date.parse(t)-e.getTime())/864e5),i=s<=0?"ended":s===1?"within a day":`in ${s} days`;return F(t,`${N(new Date(t))} (${i})`)}function ne({in_use:t,max:e,borrowed:s}){let i=Math.max(e??0,t,1),n=d=>`${100*d/i}%`,o=Math.min(s.in_use,t),c=`${t} of ${e} seats in use${o===0?"":`, ${o} of them borrowed`}`;return r`<svg class=${t>=(e??0)?"bar full":"bar"} role="img" aria-label=${c}>
    <defs>
      <pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="away" width="6" height="6" /><rect class="line" width="2" height="6" />
      </pattern>
    </defs>
    <rect class="track" width="100%" height="100%" />
    <rect class="used" width=${n(t-o)} height="100%" />
    ${o===0?l:D`<rect x=${n(t-o)} width=${n(o)} height="100%" fill="url(#hatched)" />`}
  </svg>`}function ie(t){let{answer:e,url:s,isAdmin:i}=t,n=e.licenses.flatMap(a=>a.sessions.map(u=>({session:u,license:a})));n.sort((a,u)=>f(a).localeCompare(f(u))||a.session.started_at.localeCompare(u.session.started_at));let o=(s.searchParams.get("find")??"").toLowerCase(),c=n.filter(a=>o===""||K(a).some(u=>String(u).toLowerCase().includes(o))),d=i?"Seats in use":"Your seats";if(t.usage.viewer.role==="guest")return m("You are a guest","Guests hold no seats. You see how many are in use.");if(n.length===0){let a=i?r`<p><a href="/license">The license's key and how to use it</a></p>`:r`<p>Start the program. It takes a seat by itself, and you see it here.</p>`;return m(i?"No seat is in use":"You hold no seat","A seat appears here when a program takes it, and goes when the program ends.",a)}return r`<section>
    <div class="title">
      <h2 id="seats">${d}</h2>
      <div class="actions inline">
        ${i?r`<label for="find">Find</label>
              <input id="find" type="search" placeholder="person, device, address" .value=${s.searchParams.get("find")??""}
                @input=${a=>t.choose({find:a.target.value})} />
              <button type="button" @click=${()=>{t.copy(G([re,...c.map(K)]),`${c.length} rows as CSV`)}}>Copy as CSV</button>`:l}
      </div>
    </div>
    <div class="scroll" role="region" aria-labelledby="seats" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">Person</th><th scope="col">Device</th><th scope="col">Program</th><th scope="col">Since</th>
            <th scope="col">Last heard of</th><th scope="col">Lease until</th><th scope="col">Kind</th>
            ${e.licenses.length>1?r`<th scope="col">License</th>`:l}
            <th scope="col"><span class="hidden">Action</span></th>
          </tr>
        </thead>
        <tbody>
          ${_(c,({session:a})=>a.session_id,a=>oe(a,t))}
        </tbody>
      </table>
    </div>
    ${c.length===0?r`<p class="empty">No seat matches “${o}”.</p>`:l}
    ${e.next_page_token===null&&!s.searchParams.has("page")?l:r`<p class="actions">
          ${s.searchParams.has("page")?r`<a href="/">First page</a>`:l}
          ${e.next_page_token===null?l:r`<a href=${`/?page=${encodeURIComponent(e.next_page_token)}`}>More seats</a>`}
        </p>`}
  </section>`}var f=({session:t})=>t.user_email??t.user_id;function oe(t,e){let{session:s,license:i}=t,n=s.user_id===e.usage.viewer.user_id,o=()=>{v=t,e.redraw(),document.querySelector("#release")?.showModal()};return r`<tr>
    <th scope="row">${f(t)}</th>
    <td>${s.hardware_id}<br /><span class="muted">${s.addresses.length>1?s.addresses.join(", "):s.ip_address}</span></td>
    <td>${s.user_agent}${s.instances>1?r`<br /><span class="muted">${s.instances} programs share it</span>`:l}</td>
    <td>${w(s.started_at,e.now)}</td>
    <td>${w(s.last_heartbeat_at,e.now)}</td>
    <td>${p(s.lease_expires_at,e.now)}</td>
    <td>${ae(s,e)}</td>
    ${e.answer.licenses.length>1?r`<td>${T(i)}</td>`:l}
    <td>
      <button type="button" class=${n?"":"danger"} aria-label=${`${n?"Give back":"Take back"} the seat of ${f(t)} on ${s.hardware_id}`} @click=${o}>
        ${n?"Give back":"Take back"}
      </button>
    </td>
  </tr>`}function ae(t,{now:e}){return t.borrowed_until!==null?r`borrowed until ${p(t.borrowed_until,e)}`:t.is_overdraft?"above the limit":t.pool===null?"seat":`reserved for ${t.pool}`}var re=["person","user_id","license","device","addresses","program","since","last_heard_of","lease_until","borrowed_until","pool","above_limit","session_id"];function K({session:t,license:e}){return[t.user_email,t.user_id,T(e),t.hardware_id,t.addresses.join(" ")||t.ip_address,t.user_agent,t.started_at,t.last_heartbeat_at,t.lease_expires_at,t.borrowed_until,t.pool,t.is_overdraft?"yes":"no",t.session_id]}function le(t){return r`<dialog id="release" aria-labelledby="release-title">
    ${v===null?l:ce(v,t,()=>document.querySelector("#release")?.close())}
  </dialog>`}function ce(t,e,s){let{session:i}=t,n=i.user_id===e.usage.viewer.user_id,o=f(t);return r`<form @submit=${d=>{d.preventDefault();let a=Number(new FormData(d.target).get("keep_out")??0);s(),e.act(async()=>{let u=a===0?{}:{until:new Date(e.now.getTime()+a*1e3).toISOString()};return await e.call("POST","/v1/release",{session_id:i.session_id,...u}),n?"You have given the seat back.":`The seat of ${o} is free. The program is told at its next heartbeat.`})}}>
    <h2 id="release-title">${n?"Give this seat back?":`Take back the seat of ${o}?`}</h2>
    <p>
      ${i.hardware_id}, ${i.user_agent??"a program"}, in use for
      ${C((e.now.getTime()-Date.parse(i.started_at))/1e3)}.
    </p>
    ${i.borrowed_until===null?r`<p>The seat is free at once. The program is told at its next heartbeat, usually within two minutes, and then stops.</p>`:r`<p>The seat is borrowed. The device may work without a connection until ${p(i.borrowed_until,e.now)}, whatever you do here.</p>`}
    ${n?l:r`<label for="keep-out">${o} may take a seat again</label>
          <select id="keep-out" name="keep_out">
            ${Z.map(([d,a])=>r`<option value=${d}>${a}</option>`)}
          </select>`}
    <p class="actions">
      <button class=${n?"main":"main danger"}>${n?"Give back":"Take back"}</button>
      <button type="button" @click=${s}>Cancel</button>
    </p>
  </form>`}var k={"/":()=>Promise.resolve({screen:V}),"/history":()=>import("./history-VEGF3L2S.js"),"/people":()=>import("./people-WPMYC2KF.js"),"/license":()=>import("./license-LMFKML3P.js"),"/activity":()=>import("./activity-KDUEH76L.js")},de={"/join":()=>import("./join-TPRJKTVS.js")},q="/v1/usage?view=now&page_size=500",ue=15e3,W=document.querySelector("#page"),g=await Y();function J(){let{pathname:t,search:e}=location,s=t+e;location.replace(s==="/"?"/sign-in":`/sign-in?next=${encodeURIComponent(s)}`)}async function R(){await A(g),J()}async function he(t){L(g,n=>{n?.uid!==t.uid&&location.reload()});let e=new j(t),s=de[location.pathname];if(s!==void 0){let{door:n}=await s();n.open?.(B(n,{api:e,user:t,url:new URL(location.href)}));return}let{claims:i}=await t.getIdTokenResult();typeof i.org_id=="string"?new S(e,t).start():B((await import("./join-TPRJKTVS.js")).door,{api:e,user:t,url:new URL("/join",location.origin)})}function B(t,e){let s={...e,redraw:()=>{$(H(e.user.email,t.view(s),R),W)}};return document.title=t.title,s.redraw(),s}var S=class{#a;#c;#s;#n=null;#e=null;#t=new URL(location.href);#l=null;#d;constructor(e,s){this.#a=e,this.#c=s,this.#s=new y(e,q,15,()=>this.#i())}start(){addEventListener("popstate",()=>{this.#r()}),document.addEventListener("click",this.#h),setInterval(()=>{document.hidden||this.#i()},1e3),this.#r()}#h=e=>{let s=e.target instanceof Element?e.target.closest("a"):null,i=e.button===0&&!e.metaKey&&!e.ctrlKey&&!e.shiftKey&&!e.altKey;if(s===null||!i||e.defaultPrevented||s.target!==""||s.hasAttribute("download"))return;let n=new URL(s.href);n.origin!==location.origin||k[n.pathname]===void 0||(e.preventDefault(),history.pushState(null,"",n),this.#r().then(()=>document.querySelector("h1")?.focus()))};async#r(){let e=new URL(location.href),s=this.#e===null||e.pathname!==this.#t.pathname;if(this.#t=e,s){let i=k[e.pathname]??k["/"],{screen:n}=await i();if(e!==this.#t)return;this.#e=n,this.#l=null,document.title=`${n.title} \xB7 Seats`}this.#m(),this.#i()}#m(){let e=this.#e?.asks?.(this.#t)??null,s=e===q?null:e;this.#n?.path!==s&&(this.#n?.close(),this.#n=null,s!==null&&this.#e!==null&&(this.#n=new y(this.#a,s,this.#e.everySeconds,()=>this.#i())))}#i(){let e=this.#n??this.#s,s=e.problem??this.#s.problem;if(s instanceof b&&s.status===401){R();return}let i=this.#s.answer,n={path:this.#t.pathname,screen:this.#e,usage:i,now:this.#s.now,email:this.#c.email,problem:s,ageSeconds:e.answer===null?null:e.ageSeconds,updatedAt:e.answer===null?null:new Date(e.now.getTime()-e.ageSeconds*1e3),notice:this.#l,body:this.#p(i,e),leave:()=>{R()},again:()=>{e.refresh()},dismiss:()=>this.#o(null)};$(I(n),W)}#p(e,s){if(e===null||s.answer===null||this.#e===null)return null;let i=this.#f(e,s.answer,s);return this.#e.isForAdmins&&!i.isAdmin?m("Not for you","Owners and admins of your organization see this screen. Your own seats are on Now."):this.#e.view(i)}#f(e,s,i){return{answer:s,usage:e,url:this.#t,now:i.now,isAdmin:e.viewer.role==="owner"||e.viewer.role==="admin",act:n=>this.#u(n),call:(n,o,c)=>this.#a.call(n,o,c),download:async(n,o)=>{await this.#u(async()=>{let c=await(await this.#a.ask("GET",n)).blob(),d=URL.createObjectURL(c);return Object.assign(document.createElement("a"),{href:d,download:o}).click(),setTimeout(()=>URL.revokeObjectURL(d),6e4),`Saved as ${o}.`})},copy:async(n,o)=>{await navigator.clipboard.writeText(n).then(()=>this.#o({text:`Copied: ${o}.`,isProblem:!1}),()=>this.#o({text:"The browser did not let this page copy. Select the text and copy it.",isProblem:!0}))},choose:n=>{let o=new URL(this.#t);for(let[c,d]of Object.entries(n))d===null||d===""?o.searchParams.delete(c):o.searchParams.set(c,d);history.replaceState(null,"",o),this.#r()},redraw:()=>this.#i()}}async#u(e){let s=!0;try{this.#o({text:await e(),isProblem:!1})}catch(i){s=!1;let n=i instanceof b||i instanceof O?i.message:String(i);this.#o({text:n,isProblem:!0})}return await Promise.all([this.#s.refresh(),this.#n?.refresh()]),s}#o(e){clearTimeout(this.#d),this.#l=e,e?.isProblem===!1&&(this.#d=setTimeout(()=>this.#o(null),ue)),this.#i()}};g.currentUser===null?J():await he(g.currentUser);
