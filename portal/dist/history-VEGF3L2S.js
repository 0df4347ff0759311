import{a as G,c as Q,d as X,e as ee,f as te,g as ne,h as se,i as N,j as ae,k as re,l as oe,m as U,n as M,o as ie,p as I,q as _,r as le}from"./chunk-546FRME5.js";import{c as B}from"./chunk-AUAQMBUA.js";import"./chunk-5HJYI3J3.js";import{b as Y,c as J}from"./chunk-6VDU4B6A.js";import{a as q,b as W,c as Z,e as K}from"./chunk-VEPLDJUZ.js";import{a as f,b as g,c as O,d as x}from"./chunk-R6NRDR3T.js";var xe={},ce=Y(class extends J{constructor(){super(...arguments),this.ot=xe}render(e,t){return t()}update(e,[t,a]){if(Array.isArray(t)){if(Array.isArray(this.ot)&&this.ot.length===t.length&&t.every((n,s)=>n===this.ot[s]))return O}else if(this.ot===t)return O;return this.ot=Array.isArray(t)?Array.from(t):t,this.render(t,a)}});var w=36,T=10,P=["Monday","Tuesday","Wednesday","Thursday","Friday","Saturday","Sunday"];function j({id:e,title:t,description:a,legend:n,drawing:s,head:u,rows:o}){return f`<figure class="chart" aria-labelledby="${e}-title" aria-describedby="${e}-description">
    <figcaption>
      <h2 id="${e}-title">${t}</h2>
      <p id="${e}-description">${a}</p>
      <ul class="legend">
        ${n.map(([r,c])=>f`<li>
            <svg width="18" height="12" aria-hidden="true">${r}</svg>
            ${c}
          </li>`)}
      </ul>
    </figcaption>
    ${s}
    <details id="${e}-numbers">
      <summary>Numbers of this chart</summary>
      <div class="scroll" role="region" tabindex="0" aria-label="Numbers: ${t}">
        <table>
          <thead>
            <tr>
              ${u.map(r=>f`<th scope="col">${r}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${o}
          </tbody>
        </table>
      </div>
    </details>
  </figure>`}var F=e=>g`<path class=${e} d="M0 6H18" />`,v=(e,t=1)=>g`<rect class=${e} width="18" height="12" fill-opacity=${t} />`;function z(e,t,a,n){return f`<svg viewBox="0 0 ${e} ${t}" width=${e} height=${t} role="img" aria-label=${a}>
    ${n}
  </svg>`}function D(e,t,a,n){return s=>Math.round((a+(s-e)/(t-e||1)*(n-a))*10)/10}function me(e){let t=10**Math.floor(Math.log10(Math.max(1,e/5))),a=[1,2,5,10].map(n=>n*t).find(n=>n*5>=e)??e;return Array.from({length:Math.ceil(Math.max(1,e)/a)+1},(n,s)=>s*a)}function de(e,t,a,n=String){return e.map(s=>g`<line class="grid" x1=${w} x2=${a-T} y1=${t(s)} y2=${t(s)} />
      <text class="end" x=${w-6} y=${t(s)+4}>${n(s)}</text>`)}function A(e,t,a,n,s){let u=s===void 0?"":`V${s}Z`,o="",r=NaN;for(let c of e){let l=t(c);if(l===null)continue;let h=s===void 0?`${n(l)}`:`${s}V${n(l)}`;c.from===r?o+=`V${n(l)}`:o+=`${o===""?"":u}M${a(c.from)} ${h}`,o+=`H${a(c.until)}`,r=c.until}return o===""?"":o+u}var ve=new Intl.DateTimeFormat("en-GB",{hour:"2-digit",minute:"2-digit"}),Te=new Intl.DateTimeFormat("en-GB",{weekday:"short",day:"numeric",month:"short",hour:"2-digit",minute:"2-digit"}),ke=new Intl.DateTimeFormat("en-GB",{weekday:"short",day:"numeric",month:"short",year:"numeric"}),Me=new Intl.DateTimeFormat("en-GB",{day:"numeric",month:"short"}),_e=new Intl.DateTimeFormat("en-GB",{month:"short"}),ue=36e5;function Ce({from:e,until:t},a){let n=(t-e)/ue,s=new Date(e),u=[],o=n<=48?"hour":n<=3e3?"day":"month";for(s.setMinutes(0,0,0),o!=="hour"&&s.setHours(0),o==="month"&&s.setDate(1);s.getTime()<t;)s.getTime()>=e&&u.push(s.getTime()),o==="hour"?s.setTime(s.getTime()+ue):o==="day"?s.setDate(s.getDate()+1):s.setMonth(s.getMonth()+1);let[r,c]=o==="hour"?[ve,[1,2,3,6,12]]:o==="day"?[Me,[1,2,7,14,28]]:[_e,[1,2,3,6]],l=c.find(i=>u.length/i<=a/58)??c.at(-1);return u.filter((i,$)=>(o==="hour"?new Date(i).getHours():$)%l===0).map(i=>[i,r.format(i)])}function V(e,t){return[(t?ke:Te).format(e.from),String(e.peak),String(e.demand),e.seats===null?"\u2013":String(e.seats),_(e.fullSeconds),String(e.denied)]}function he(e,t,a,n,s){let[u,o,r]=[10,190,44],c=Math.max(...e.map(d=>Math.max(d.peak,d.demand,d.seats??0))),l=Math.max(...e.map(d=>d.denied)),h=me(c),i=D(t.from,t.until,w,n-T),$=D(0,h.at(-1),o,u),p=D(0,Math.max(1,l),o,o+r),m=o+(l>0?r:0)+18,y=a?"day":"half hour",k=e.reduce((d,b)=>b.peak>d.peak?b:d),C=`The most seats in use at once in each ${y}. The highest was ${k.peak}, ${a?"on":"at"} ${V(k,a)[0]}. `+(l>0?`Below the line: people who were refused ${a?"on that day (in UTC)":"in that half hour"}, at most ${l}.`:"No person was refused a seat in this time."),ye=z(n,m+6,`Seats in use in each ${y}`,g`${de(h,$,n)}
      ${Ce(t,n-w-T).map(([d,b])=>g`<text class="middle" x=${i(d)} y=${m}>${b}</text>`)}
      <path class="area" d=${A(e,d=>d.peak,i,$,o)} />
      <path class="demand" d=${A(e,d=>d.demand,i,$)} />
      <path class="peak" d=${A(e,d=>d.peak,i,$)} />
      <path class="cap" d=${A(e,d=>d.seats,i,$)} />
      ${e.filter(d=>d.denied>0).map(d=>{let b=Math.max(2,i(d.until)-i(d.from)-1);return g`<rect class="denied" x=${i(d.from)} y=${o+1} width=${b} height=${p(d.denied)-o} />`})}
      <line class="axis" x1=${w} x2=${n-T} y1=${o} y2=${o} />
      ${l>0?g`<text class="end" x=${w-6} y=${o+r}>${l}</text>`:x}
      ${e.map(d=>{let[b,E,L,be,we,Se]=V(d,a);return g`<rect class="hit" fill="transparent" x=${i(d.from)} y=${u} width=${Math.max(1,i(d.until)-i(d.from))}
          height=${m-12-u} @click=${()=>s(`at-${d.from}`)}
        ><title>${b}: ${E} in use, ${L} wanted, ${be} seats, full for ${we}, ${Se} refused</title></rect>`})}`);return j({id:"usage",title:"Seats in use",description:C,legend:[[g`${v("area",.25)}<path class="peak" d="M0 1H18" />`,"in use"],[F("demand"),"in use and waiting"],[F("cap"),"seats of the license"],[v("denied"),"people refused"]],drawing:ye,head:[a?"Day":"From","Most in use","Most wanted","Seats","Time full","People refused"],rows:e.map(d=>{let[b,...E]=V(d,a);return f`<tr id="at-${d.from}" tabindex="-1">
        <th scope="row">${b}</th>
        ${E.map(L=>f`<td>${L}</td>`)}
      </tr>`})})}function H(e){return`${String(e).padStart(2,"0")}:00`}function $e(e,t){let n=Math.floor((t-40-2)/24),s=27,u=n*3>=40?3:6,r=e.flatMap((i,$)=>i.map((p,m)=>({of:p,day:$,hour:m}))).filter(i=>i.of!==void 0),c=r.reduce((i,$)=>$.of.share>i.of.share?$:i),l=({peak:i,seats:$,share:p,weeks:m,fullWeeks:y})=>`${M(p)} of the ${$===null?"highest number":"seats"}, ${Math.round(i*10)/10} in use`+(m>1?`, full in ${y} of ${m} weeks`:y>0?", full for a time":""),h=z(t,7*s+22,"How full each hour of the week is",g`<defs>
        <pattern id="full" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="stripe" width="2" height="6" />
        </pattern>
      </defs>
      ${P.map((i,$)=>g`<text class="end" x=${32} y=${$*s+18}>${i.slice(0,3)}</text>`)}
      ${Array.from({length:24/u},(i,$)=>$*u).map(i=>g`<text x=${40+i*n} y=${7*s+16}>${H(i)}</text>`)}
      ${r.map(({of:i,day:$,hour:p})=>{let[m,y,k,C]=[40+p*n,$*s,n-1,s-1];return g`<rect class="empty-cell" x=${m} y=${y} width=${k} height=${C} />
          <rect class="heat" x=${m} y=${y} width=${k} height=${C} fill-opacity=${i.share.toFixed(2)} />
          <rect class="hit" x=${m} y=${y} width=${k} height=${C} fill=${i.share>=.9995?"url(#full)":"transparent"}
          ><title>${P[$]} ${H(p)}: ${l(i)}</title></rect>`})}`);return j({id:"week",title:"Hours of the week",description:`How full each hour is on average: its highest number of seats in use, as a share of the seats. The fullest is ${P[c.day]} at ${H(c.hour)}, with ${l(c.of)}.`,legend:[[v("empty-cell"),"0 %"],[g`${v("empty-cell")}${v("heat",.5)}`,"50 %"],[v("heat"),"nearly 100 %"],[g`${v("heat")}<rect width="18" height="12" fill="url(#full)" />`,"100 %"]],drawing:h,head:["Hour",...P.map(i=>i.slice(0,3))],rows:Array.from({length:24},(i,$)=>f`<tr>
        <th scope="row">${H($)}</th>
        ${e.map(p=>f`<td>${p[$]===void 0?"\u2013":M(p[$].share)}</td>`)}
      </tr>`)})}function fe(e,t,a){let n=U(e,100)??0,s=Math.max(n,t??0)+1,[u,o]=[14,190],r=D(0,s,w+8,a-T),c=D(0,1,o,u),l=m=>oe(e,m)??0,h=Array.from({length:s+1},(m,y)=>y),i=[95,99,100].map(m=>({wanted:m,number:U(e,m)??0})),$=me(s).filter(m=>m<=s),p=z(a,o+40,"Share of the busy time for which a number of seats would have been enough",g`${de([0,.25,.5,.75,1],c,a,m=>`${m*100}`)}
      ${$.map(m=>g`<text class="middle" x=${r(m)} y=${o+18}>${m}</text>`)}
      <text class="middle" x=${(w+a-T)/2} y=${o+35}>seats</text>
      <path class="peak" d=${`M${r(0)} ${c(l(0))}`+h.slice(1).map(m=>`H${r(m)}V${c(l(m))}`).join("")} />
      ${t===null?x:g`<line class="cap" x1=${r(t)} x2=${r(t)} y1=${u} y2=${o} />`}
      ${i.map(({number:m})=>g`<circle class="mark" cx=${r(m)} cy=${c(l(m))} r="4" />`)}
      <line class="axis" x1=${w} x2=${a-T} y1=${o} y2=${o} />`);return j({id:"enough",title:"How many seats would have been enough",description:"For each number of seats: the percentage of the busy time in which no more were wanted. The time is busy while a seat is in use or wanted. This is the least that was wanted: a person who knows that all seats are in use does not try.",legend:[[F("peak"),"busy time covered, in %"],...i.map(({wanted:m,number:y})=>[g`<circle class="mark" cx="9" cy="6" r="4" />`,`${m} %: ${I(y,"seat")}`]),...t===null?[]:[[F("cap"),`the license: ${I(t,"seat")}`]]],drawing:p,head:["Seats","Enough for","Not covered"],rows:h.map(m=>f`<tr>
        <th scope="row">${m}</th>
        <td>${M(l(m))}</td>
        <td>${_((1-l(m))*e.busySeconds)}</td>
      </tr>`)})}var De=8*864e5,Re=3*864e5,R=new Map,S=new le(600),et={title:"History",isForAdmins:!0,asks:null,everySeconds:300,view:Pe};function Pe(e){let t=Ae(e);if(t===null)return B("No license yet","Here you will see how the seats of your licenses are used.");let{span:a}=t,n=[e.usage.organization.organization_id,t.license.license_id,t.range,t.first,t.last].join();return typeof a!="string"&&S.want(n,()=>He(e,t,a,n),e.redraw),f`${Fe(e,t)}
    <div aria-busy=${S.isBusy}>${typeof a=="string"?f`<p class="problem">${a}</p>`:Ee(e,t,n)}</div>`}function Ae({usage:e,url:t,now:a}){let n=t.searchParams,s=e.licenses.find(({license_id:l})=>l===n.get("license"))??e.licenses[0];if(s===void 0)return null;let[u,o]=[n.get("from"),n.get("to")];if(u!==null&&o!==null)return{license:s,range:"custom",span:X(u,o,a.getTime()),first:u,last:o};let r=Object.keys(G).find(l=>l===n.get("range"))??"30d",c=Q(r,a.getTime());return{license:s,range:r,span:c,first:N(c.from),last:N(c.until)}}async function He(e,{license:t},a,n){let s=ee(a),u=h=>`${e.usage.organization.organization_id}/${t.license_id}/${h}`,o=new Map;await Promise.all(te(s,h=>R.has(u(h))).map(async h=>{let i=new URLSearchParams({from:h[0],to:h.at(-1),license_id:t.license_id}),$=await e.call("GET",`/v1/history?${i}`);for(let p of $.licenses.find(({license_id:m})=>m===t.license_id)?.days??[])p.is_settled?R.set(u(p.date),p):o.set(p.date,p);for(let p of h)Date.parse(p)+Re<Date.parse($.server_time)&&!o.has(p)&&!R.has(u(p))&&R.set(u(p),null)}));let r=s.flatMap(h=>o.get(h)??R.get(u(h))??[]),c=ne(r,a),l=a.until-a.from>De;return{key:n,dates:s,span:a,periods:l?se(c,r):c,isDay:l,week:ae(c),totals:re(r),wasSame:c.every(({seats:h})=>h===null||h===t.max)}}function Fe(e,{license:t,range:a,first:n,last:s}){let u=(r,c)=>{let{value:l}=r.target;l!==""&&e.choose({[c]:l})},o=(r,c,l)=>f`<button type="button" aria-pressed=${a===r} @click=${()=>e.choose(c)}>${l}</button>`;return f`<div class="choices">
    <label
      >License
      <select @change=${r=>u(r,"license")}>
        ${e.usage.licenses.map(({license_id:r,name:c})=>f`<option value=${r} ?selected=${r===t.license_id}>${c??r}</option>`)}
      </select>
    </label>
    <div class="ranges" role="group" aria-label="Time">
      ${Object.entries(G).map(([r,c])=>o(r,{range:r,from:null,to:null},c))}
      ${o("custom",{range:null,from:n,to:s},"Other days")}
    </div>
    ${a==="custom"?f`<label>From <input type="date" .value=${n} max=${s} @change=${r=>u(r,"from")} /></label>
          <label>To <input type="date" .value=${s} min=${n} @change=${r=>u(r,"to")} /></label>`:x}
    <p class="muted">Times are those of ${q}.</p>
  </div>`}function Ee(e,t,a){let n=S.value?.key===a?S.value:null,s=S.problem===null?x:f`<p class="problem" role="alert">
          ${n===null?"The history cannot be shown.":"The history could not be brought up to date."} ${S.problem}
        </p>`,u=()=>{S.again(),e.redraw()};if(S.problem!==null){let o=f`<p><button type="button" @click=${u}>Try again</button></p>`;return f`${s}${o}${n===null?x:pe(e,t,n)}`}return n===null?f`<p class="empty" role="status">Asking for the history …</p>`:pe(e,t,n)}function pe(e,{license:t},a){let{periods:n,span:s,isDay:u,week:o,totals:r,wasSame:c,dates:l}=a;if(n.length===0)return B("No numbers of this time yet","The service counts once an hour. The first numbers come within an hour after a person took a seat of this license.");let h=Be();return f`<p class="lead">${ie(r,t.max,c)}</p>
    ${Le(r)}
    <p class="muted">
      Counted until ${Oe(n.at(-1))}. These numbers, and how many seats would have been enough, are of whole days in UTC:
      ${l[0]} to ${l.at(-1)}.
    </p>
    ${ce([a,h,t.max],()=>{let i=h>=900?Math.floor((h-72)/2):h;return f`${he(n,s,u,h,Ge)}
        <div class="pair">${$e(o,i)} ${fe(r,t.max,i)}</div>`})}
    <p class="actions">
      <button type="button" @click=${()=>ge(e,t,l,"half-hours")}>Save each half hour as CSV</button>
      <button type="button" @click=${()=>ge(e,t,l,"days")}>Save each day as CSV</button>
    </p>`}function Le(e){let{peak:t,peakDemand:a,peopleTurnedAway:n,busySeconds:s,seatSeconds:u,waits:o}=e,r=l=>l===0?"none":`${M(l/u)} (${_(l)})`,c=[["Most seats in use",String(t),"at once"],["Most seats wanted",String(a),"at once, in use and waiting"],["People turned away",String(n),"refused, and no seat within 15 minutes; a person counts once a day"],["Waited and got a seat",String(o),"times"],["Busy time",_(s),"while a seat was in use or wanted"],["Idle",r(e.idleSeatSeconds),"of the seats' time: no sign of life until the lease ran out"],["Borrowed",r(e.borrowedSeatSeconds),"of the seats' time"]];return e.overdraftSeatSeconds>0&&c.push(["Above the license",r(e.overdraftSeatSeconds),"of the seats' time"]),f`<dl class="numbers">
    ${c.map(([l,h,i])=>f`<div>
        <dt>${l}</dt>
        <dd><strong>${h}</strong> <span class="muted">${i}</span></dd>
      </div>`)}
  </dl>`}function Oe({until:e}){let t=new Date(e);return K(t,`${Z(t)}, ${W(t)}`)}function Be(){let e=Math.min(document.documentElement.clientWidth,1760);return Math.floor(e-4*Math.min(24,Math.max(12,e*.02)))}function Ge(e){document.querySelector("#usage-numbers").open=!0,document.getElementById(e)?.focus()}function ge(e,t,a,n){let[s,u]=[a[0],a.at(-1)],o=new URLSearchParams({from:s,to:u,license_id:t.license_id,format:"csv",...n==="days"?{per:"day"}:{}}),r=[e.usage.organization.organization_id,t.license_id,n,s,u,"utc"].join("-");e.download(`/v1/history?${o}`,`${r}.csv`)}export{et as screen};
/*! For license information please see history-VEGF3L2S.js.LEGAL.txt */
