import{c as g}from"./chunk-AUAQMBUA.js";import"./chunk-5HJYI3J3.js";import{c as m,d as c,e as p}from"./chunk-VEPLDJUZ.js";import{a as r,d as a}from"./chunk-R6NRDR3T.js";var T={title:"License",isForAdmins:!0,asks:null,everySeconds:15,view:_},$=new Set;function _(e){let{licenses:t}=e.usage;return t.length===0?g("No license yet","Your organization has no license. Your vendor adds one."):r`${t.map(s=>f(s,e))}
    <p class="muted">Your vendor changes seats and terms. The key only works for users of your organization.</p>`}function f(e,t){let{license_key:s,terms:o,max:l,license_id:i}=e;return r`<section class="card" aria-labelledby=${`license-${i}`}>
    <h2 id=${`license-${i}`}>${e.name??i}</h2>
    ${h(e)}
    <dl>
      ${s===null?a:n("Key",y(i,s,t))}
      ${n("Seats",l??"not known")}
      ${e.starts_at===null?a:n("Contract begins",p(e.starts_at,m(new Date(e.starts_at))))}
      ${n("Contract ends",e.expires_at===null?"no end":p(e.expires_at,m(new Date(e.expires_at))))}
      ${o===null||o.lease_seconds===null?a:b(o)}
      ${Object.entries(e.features).map(([d,u])=>n(d,u===!0?"yes":u===!1?"no":String(u)))}
    </dl>
    ${s===null?a:w(s,t)}
  </section>`}function h({terms:e,misconfigured_fields:t}){let s=e!==null&&e.problems.length>0?e.problems:t.map(o=>`The field ${o} is wrong.`);return s.length===0?a:r`<div class="problem">
    <p>Your vendor should correct this:</p>
    <ul>
      ${s.map(o=>r`<li>${o}</li>`)}
    </ul>
  </div>`}var n=(e,t)=>r`<div><dt>${e}</dt><dd>${t}</dd></div>`;function y(e,t,s){let o=$.has(e),l=()=>{o?$.delete(e):$.add(e),s.redraw()};return r`<code>${o?t:"\u2022".repeat(12)}</code>
    <button type="button" class="quiet" aria-expanded=${o} @click=${l}>${o?"Hide":"Show"}</button>
    <button type="button" class="quiet" @click=${()=>{s.copy(t,"the license key")}}>Copy</button>`}function b(e){let{allowed_groups:t,reservations:s,max_borrow_seconds:o,idle_seconds:l}=e,i=Object.entries(s??{}).map(([d,u])=>`${u} for ${d}`);return r`
    ${n("Who may take a seat",t===null?"all users":t.length===0?"no user":`users of ${t.join(", ")}`)}
    ${i.length===0?a:n("Reserved",i.join(", "))}
    ${n("Devices",e.max_devices_per_user===null?"no limit":`at most ${e.max_devices_per_user} for each user at a time`)}
    ${n("Programs on a device",e.max_instances_per_seat===null?"share one seat, without a limit":`at most ${e.max_instances_per_seat} share one seat`)}
    ${e.overdraft_seats?n("Above the limit",`at most ${e.overdraft_seats} more seats, which are marked`):a}
    ${n("Lease",`${c(e.lease_seconds??0)}: a seat that its program does not renew for so long is free`)}
    ${e.grace_seconds?n("Without a network",`a program may go on for ${c(e.grace_seconds)} after its lease`):a}
    ${l===null?a:n("Idle seats",`are given back after ${c(l)}`)}
    ${n("Borrowing",o?`for at most ${c(o)}${e.max_borrowed_seats===null?"":`, at most ${e.max_borrowed_seats} seats at a time`}`:"off")}
  `}function w(e,t){let s=o=>`export SEATLEASE_URL=${location.origin}
export SEATLEASE_LICENSE_KEY=${o}
seatlease login
seatlease run -- your-program`;return r`<details>
    <summary>Run a program with a seat</summary>
    <pre tabindex="0"><code>${s("\u2026")}</code></pre>
    <button type="button" @click=${()=>{t.copy(s(`'${e}'`),"the commands, with the key")}}>Copy with the key</button>
  </details>`}export{T as screen};
