import{b as x,d as L,e as z,i as f,p as b,q as v,r as _}from"./chunk-546FRME5.js";import{c as y}from"./chunk-AUAQMBUA.js";import"./chunk-5HJYI3J3.js";import{a as P,b as A,c as E,e as D}from"./chunk-VEPLDJUZ.js";import{a as u,d as m}from"./chunk-R6NRDR3T.js";var B={released:"",released_elsewhere:"given back from another device",expired:"the program was not heard of again",revoked_by_admin:"an owner, an admin or the vendor took it away",user_deactivated:"the person was deactivated",license_deactivated:"the license was deactivated",license_expired:"the license's contract ended",organization_deactivated:"the organization was deactivated",document_removed:"what it belonged to was deleted",idle:"the person was idle",silent:"the program stopped asking",left:"left the line",time_over:"the time to wait was over"},O="\u2026",j=e=>B[i(e.reason)]??i(e.reason),S=(e,t,{at:n})=>d(j(e),e.started_at?`held for ${q(e.started_at,n)}`:"",e.kept_out_until?`kept out until ${t.time(i(e.kept_out_until))}`:"",e.overhang_until?`the device may work on until ${t.time(i(e.overhang_until))}`:""),k=(e,t)=>{let n=I(e.changes).map(r=>{let[s,a,l]=[i(r.field),W(r.before,t),W(r.after,t)];return a===O||l===O?`${s} (not shown)`:e.edit==="created"?l===""?"":`${s}: ${l}`:`${s}: ${a||"nothing"} \u2192 ${l||"nothing"}`});return e.edit==="deleted"?"deleted":d(e.edit==="changed"?"":i(e.edit),...n)||M(e)},R={"session.acquired":{what:"Took a seat",result:e=>d(T(e.seats),e.is_overdraft===!0?"above the license's own number":"",e.waited_seconds?`after ${v(Number(e.waited_seconds))} in the line`:"")},"session.renewed":{what:"Another program works on the seat",result:e=>d(`${b(Number(e.instances),"program")} on this seat`,i(e.ip_address))},"session.borrowed":{what:"Borrowed the seat",result:(e,t)=>`until ${t.time(i(e.borrowed_until))}`},"session.queued":{what:"Waits for a seat",result:e=>`place ${i(e.position)} in the line`},"session.gave_up":{what:"Waits no more, without a seat",result:e=>d(j(e),`waited for ${v(Number(e.waited_seconds))}`)},"session.denied":{what:"Was refused a seat",result:e=>d(e.limit==="organization"?`${T(e.organization_seats)} of the organization`:T(e.seats),e.for_waiting?`${i(e.for_waiting)} free for people in the line`:"",b(Number(e.attempts),"attempt"))},"session.released":{what:"Gave the seat back",result:S},"session.expired":{what:"The lease ran out",result:S},"session.revoked":{what:"The seat was taken away",result:S},"usage.repaired":{what:"The counters were put right",result:(e,t)=>I(e.after).map(n=>`${t.license(i(n.license_id))}: ${i(n.in_use)} in use`).join("; ")},"license.expiring":{what:"The license's contract ends soon",result:(e,t)=>`at ${t.time(i(e.expires_at))}`},"organization.edited":{what:"The organization was edited",result:k},"user.edited":{what:"A person was edited",result:k},"license.edited":{what:"The license was edited",result:k},"user.invited":{what:"Invited a person",result:(e,t)=>e.edit==="deleted"?"taken back":d(e.edit==="changed"?"renewed":"",`as ${i(e.role)}`,`open until ${t.time(i(e.expires_at))}`)},"user.joined":{what:"Joined the organization",result:(e,t)=>d(`as ${i(e.role)}`,e.invited_by?`invited by ${t.person(i(e.invited_by))}`:"",i(e.provider??e.domain))},"user.signed_in_on_device":{what:"Signed in on a device",result:e=>d(i(e.device_name),i(e.ip_address))}};function U(e,t){let n=R[e.type],r=e.user_id??e.actor;return{what:n?.what??e.type,person:r===null?"":N(r,t),by:e.actor===null||e.actor===r?"":N(e.actor,t),on:d(e.license_id===null?"":t.license(e.license_id),e.hardware_id??""),result:n?.result(e.details,t,e)??M(e.details)}}function N(e,t){return e==="system"?"the service":e==="console"?"the vendor, by hand":e==="erased"?"erased person":t.person(e)}function i(e){return e==null?"":typeof e=="object"?JSON.stringify(e):String(e)}function W(e,t){let n;try{n=JSON.parse(i(e))}catch{return i(e)}let r=typeof n=="object"&&n!==null?n.timestamp:void 0;return typeof r=="string"?t.time(r):i(n)}function I(e){return Array.isArray(e)?e:[]}function M(e){return d(...Object.entries(e).map(([t,n])=>i(n)===""?"":`${t}: ${i(n)}`))}function d(...e){return e.filter(t=>t!=="").join(", ")}function T(e){let{in_use:t,max:n}=e??{};return n==null?`${i(t)} seats in use`:`${i(t)} of ${i(n)} seats in use`}function q(e,t){return v((Date.parse(t)-Date.parse(i(e)))/1e3)}var J=u`<p class="empty" role="status">Asking for the activity …</p>`,C=100,H=7,h=new _(300),w=new Map,G=new _(3600),V=10,he={title:"Activity",isForAdmins:!0,asks:null,everySeconds:300,view:Z};function Z(e){$([[e.usage.viewer.user_id,e.usage.viewer.email]]),$(e.usage.licenses.flatMap(({sessions:c})=>c.map(({user_id:p,user_email:g})=>[p,g]))),G.want(e.usage.organization.organization_id,()=>Y(e),e.redraw);let t=e.url.searchParams,n=e.now.getTime(),r=t.get("from")??f(x(n,1-H)),s=t.get("to")??f(n),a=L(r,s,n),l=G.isBusy&&(t.get("person")??"").includes("@"),o=typeof a=="string"||l?null:K(t,a);return o!==null&&h.want(o.toString(),()=>Q(e,o),e.redraw),u`${X(e,r,s)}
    <div aria-busy=${h.isBusy}>
      ${typeof a=="string"?u`<p class="problem">${a}</p>`:o===null?J:ee(e,o,a)}
    </div>`}async function Y(e){let t="";for(let n=0;n<V&&t!==null;n++){let r=new URLSearchParams({page_size:"100",...t===""?{}:{page_token:t}}),s=await e.call("GET",`/v1/members?${r}`);$(s.members.map(({user_id:a,email:l})=>[a,l])),t=s.next_page_token}return null}function $(e){for(let[t,n]of e)t!==null&&typeof n=="string"&&n!==""&&w.set(t,n)}function K(e,t){let n=z(t),r=new URLSearchParams({view:"events",from:n[0],to:n.at(-1),page_size:String(C)}),s=e.get("person");s&&r.set("user_id",[...w].find(([,a])=>a===s)?.[0]??s);for(let[a,l]of[["license","license_id"],["type","type"],["page","page_token"]]){let o=e.get(a);o&&r.set(l,o)}return r}async function Q(e,t){let n=await e.call("GET",`/v1/history?${t}`);return $(n.events.map(({user_id:r,details:s})=>[r,s.user_email])),{key:t.toString(),events:n.events,next:n.next_page_token}}function X(e,t,n){let r=e.url.searchParams,s=(o,c)=>{let{type:p,value:g}=o.target;(p!=="date"||g!=="")&&e.choose({[c]:g.trim(),page:null,event:null})},a=(o,c,p)=>u`<option value=${c} ?selected=${(r.get(o)??"")===c}>${p}</option>`,l=w.get(r.get("person")??"")??r.get("person")??"";return u`<div class="choices">
    <label>From <input type="date" .value=${t} max=${n} @change=${o=>s(o,"from")} /></label>
    <label>To <input type="date" .value=${n} min=${t} @change=${o=>s(o,"to")} /></label>
    <label
      >Person
      <input list="people" placeholder="all" .value=${l} @change=${o=>s(o,"person")} />
    </label>
    <datalist id="people">
      ${[...new Set(w.values())].sort().map(o=>u`<option value=${o}></option>`)}
    </datalist>
    <label
      >License
      <select @change=${o=>s(o,"license")}>
        ${a("license","","all")}
        ${e.usage.licenses.map(({license_id:o,name:c})=>a("license",o,c??o))}
      </select>
    </label>
    <label
      >What
      <select @change=${o=>s(o,"type")}>
        ${a("type","","all")} ${Object.entries(R).map(([o,{what:c}])=>a("type",o,c))}
      </select>
    </label>
    <p class="muted">Times are those of ${P}.</p>
  </div>`}function ee(e,t,n){let r=h.value?.key===t.toString()?h.value:null,s=()=>{h.again(),e.redraw()};if(h.problem!==null)return u`<p class="problem" role="alert">The activity cannot be shown. ${h.problem}</p>
      <p><button type="button" @click=${s}>Try again</button></p>`;if(r===null)return J;let a=e.url.searchParams.get("event"),l=r.events.filter(({at:o,event_id:c})=>{let p=Date.parse(o);return p>=n.from&&p<n.until+1&&(a===null||a===c)});return u`${l.length>0?ne(e,l):te(a,r.next)} ${re(e,t,r,a,s)}`}function te(e,t){return e!==null?y("The event is not here",t===null?"It was deleted after its time, or the link is wrong.":"Look at older events."):y(t===null?"Nothing happened in this time":"Nothing on this page",t===null?"An event comes with each seat that a person takes, gives back or is refused, and with each edit.":"Look at older events.")}function ne(e,t){let n=new Map(e.usage.licenses.map(({license_id:s,name:a})=>[s,a??s])),r={person:s=>w.get(s)??s,license:s=>n.get(s)??s,time:s=>F(new Date(s))};return u`<div class="scroll" role="region" tabindex="0" aria-label="Events">
    <table class="events">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">What</th>
          <th scope="col">Person</th>
          <th scope="col">On what</th>
          <th scope="col">Result</th>
        </tr>
      </thead>
      <tbody>
        ${t.map(s=>{let{what:a,person:l,by:o,on:c,result:p}=U(s,r),g=new Date(s.at);return u`<tr>
            <td><a href=${se(s)} title="This event alone">${D(g,F(g))}</a></td>
            <th scope="row">${a}</th>
            <td data-name="Person">${l}${o===""?m:u` <span class="muted">by ${o}</span>`}</td>
            <td data-name="On what">${c}</td>
            <td data-name="Result">${p}</td>
          </tr>`})}
      </tbody>
    </table>
  </div>`}function F(e){return`${E(e)}, ${A(e)}`}function se({event_id:e,at:t,type:n,license_id:r,user_id:s}){let a=f(Date.parse(t)),l=new URLSearchParams({event:e,from:a,to:a,type:n});return r!==null&&l.set("license",r),s!==null&&l.set("person",s),`/activity?${l}`}function re(e,t,{next:n,events:r},s,a){let l=(o,c)=>u`<button type="button" @click=${()=>e.choose(c)}>${o}</button>`;return u`<p class="actions">
    ${s===null?m:l("All events of that day",{event:null,type:null,license:null,person:null,page:null})}
    ${t.has("page_token")?l("Newest",{page:null}):m}
    ${n===null?m:l("Older",{page:n})}
    <button type="button" @click=${a}>Look again</button>
    ${s===null&&r.length>0?u`<button type="button" @click=${()=>oe(e,t)}>
          ${n===null?"Save as CSV":"Save the next 2,000 as CSV"}
        </button>`:m}
  </p>`}function oe(e,t){let n=new URLSearchParams(t);n.delete("page_size"),n.set("format","csv");let r=[e.usage.organization.organization_id,"activity",t.get("from"),t.get("to"),"utc"].join("-");e.download(`/v1/history?${n}`,`${r}.csv`)}export{he as screen};
