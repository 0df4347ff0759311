import{a as u}from"./chunk-YSGAXQEM.js";import"./chunk-6VDU4B6A.js";import{f as m,h}from"./chunk-VEPLDJUZ.js";import{a as i,d as r}from"./chunk-R6NRDR3T.js";var D={title:"People",isForAdmins:!0,asks:e=>{let t=e.searchParams.get("page");return`/v1/members?page_size=100${t===null?"":`&page_token=${encodeURIComponent(t)}`}`},everySeconds:60,view:_},y=[["member","takes seats"],["guest","takes no seats, and sees how many are in use"],["admin","takes seats, and looks after people and seats"],["owner","as an admin, and looks after owners as well"]],p=null;function _(e){let{members:t,invitations:n,next_page_token:o}=e.answer;return i`
    ${k(e)}
    ${n.length===0?r:A(n,e)}
    <section>
      <h2 id="people">People</h2>
      <div class="scroll" role="region" aria-labelledby="people" tabindex="0">
        <table>
          <thead>
            <tr>
              <th scope="col">Person</th><th scope="col">Role</th><th scope="col">Groups</th><th scope="col">State</th>
              <th scope="col" class="number">Seats now</th><th scope="col">Last seat</th>
              <th scope="col" class="number">Denied in 30 days</th><th scope="col"><span class="hidden">Action</span></th>
            </tr>
          </thead>
          <tbody>
            ${u(t,s=>s.user_id,s=>P(s,e))}
          </tbody>
        </table>
      </div>
      ${o===null&&!e.url.searchParams.has("page")?r:i`<p class="actions">
            ${e.url.searchParams.has("page")?i`<a href="/people">First page</a>`:r}
            ${o===null?r:i`<a href=${`/people?page=${encodeURIComponent(o)}`}>More people</a>`}
          </p>`}
    </section>
    <dialog id="person" aria-labelledby="person-title">${p===null?r:T(p,e)}</dialog>
  `}var v=e=>e.usage.viewer.role==="owner",R=e=>y.filter(([t])=>v(e)||t!=="owner");function k(e){return i`<section class="card" aria-labelledby="invite">
    <h2 id="invite">Invite a colleague</h2>
    <form class="row" @submit=${n=>{n.preventDefault();let o=n.target,s=new FormData(o),c=String(s.get("email")).trim(),l={email:c,role:String(s.get("role")),groups:b(s)};e.act(async()=>(await e.call("POST","/v1/invitations",l),`${c} is invited. Now send the link: it stands below, at the invitation.`)).then(a=>{a&&o.reset()})}}>
      <div><label for="email">E-mail address</label><input id="email" name="email" type="email" required autocomplete="off" /></div>
      <div><label for="role">Role</label>${$("role","member",e)}</div>
      <div><label for="groups">Groups, with commas</label><input id="groups" name="groups" autocomplete="off" /></div>
      <button class="main">Invite</button>
    </form>
    <p class="muted">The link of an invitation holds no secret. Who signs in with the invited address may join, for 14 days.</p>
  </section>`}function $(e,t,n){return i`<select id=${e} name="role">
    ${R(n).map(([o,s])=>i`<option value=${o} ?selected=${o===t}>${o}: ${s}</option>`)}
  </select>`}var b=e=>String(e.get("groups")??"").split(",").map(t=>t.trim()).filter(t=>t!=="");function A(e,t){return i`<section>
    <h2 id="invited">Invited</h2>
    <div class="scroll" role="region" aria-labelledby="invited" tabindex="0">
      <table>
        <thead>
          <tr><th scope="col">Address</th><th scope="col">Role</th><th scope="col">Groups</th><th scope="col">Until</th><th scope="col">Actions</th></tr>
        </thead>
        <tbody>
          ${u(e,n=>n.invitation_id,n=>I(n,t))}
        </tbody>
      </table>
    </div>
  </section>`}function I(e,t){let{email:n,role:o,groups:s,invitation_id:c}=e,{organization:l}=t.usage,a=`${location.origin}/join?org=${encodeURIComponent(l.organization_id)}`,d=`Join ${l.name} here, with the address ${n}:

${a}
`,g=`mailto:${encodeURIComponent(n)}?subject=${encodeURIComponent(`Join ${l.name}`)}&body=${encodeURIComponent(d)}`,w=()=>{t.act(async()=>(await t.call("POST","/v1/invitations",{email:n,role:o,groups:s}),`The invitation of ${n} lasts for 14 more days. Send the link again.`))},f=()=>{t.act(async()=>(await t.call("DELETE",`/v1/invitations?invitation_id=${encodeURIComponent(c)}`),`${n} is not invited any more.`))};return i`<tr>
    <th scope="row">${n}</th>
    <td>${o}</td>
    <td>${s.join(", ")}</td>
    <td>${h(e.expires_at,t.now)}</td>
    <td class="buttons">
      <button type="button" aria-label=${`Copy the link for ${n}`} @click=${()=>{t.copy(a,`the link for ${n}`)}}>Copy link</button>
      <a class="button" href=${g} aria-label=${`Write a mail to ${n}`}>Mail</a>
      <button type="button" aria-label=${`Renew the invitation of ${n}`} @click=${w}>Renew</button>
      <button type="button" class="danger" aria-label=${`Withdraw the invitation of ${n}`} @click=${f}>Withdraw</button>
    </td>
  </tr>`}function P(e,t){let n=e.email??e.user_id,o=()=>{p=e,t.redraw(),document.querySelector("#person")?.showModal()},s=v(t)||e.role!=="owner";return i`<tr>
    <th scope="row">${n}</th>
    <td>${e.role}</td>
    <td>${e.groups.join(", ")}</td>
    <td>${S(e)}</td>
    <td class="number">${e.seats_in_use}</td>
    <td>${e.last_seat_at===null?"never":m(e.last_seat_at,t.now)}</td>
    <td class="number">${e.denied_30_days}</td>
    <td>${s?i`<button type="button" aria-label=${`Edit ${n}`} @click=${o}>Edit</button>`:r}</td>
  </tr>`}function S(e){return e.misconfigured_fields.length>0?i`<span class="problem">Your vendor must correct: ${e.misconfigured_fields.join(", ")}</span>`:e.is_active===!1?i`<span class="problem">deactivated</span>`:"active"}function T(e,t){let n=e.email??e.user_id,o=()=>document.querySelector("#person")?.close(),s=(a,d)=>{o(),t.act(async()=>(await t.call("PATCH","/v1/members",{user_id:e.user_id,...a}),d))},c=a=>{a.preventDefault();let d=new FormData(a.target);s({role:String(d.get("role")),groups:b(d)},`${n} is changed.`)},l=()=>e.is_active===!1?s({is_active:!0},`${n} is active again.`):s({is_active:!1},`${n} is deactivated: no seats, and those in use end.`);return i`<form @submit=${c}>
    <h2 id="person-title">${n}</h2>
    <label for="new-role">Role</label>${$("new-role",e.role,t)}
    <label for="new-groups">Groups, with commas</label>
    <input id="new-groups" name="groups" autocomplete="off" .value=${e.groups.join(", ")} />
    <p class="actions">
      <button class="main">Save</button>
      <button type="button" @click=${o}>Cancel</button>
      <button type="button" class="danger" @click=${l}>${e.is_active===!1?"Activate again":"Deactivate"}</button>
    </p>
    <p class="muted">A deactivated person holds no seat and cannot take one. Nothing is deleted.</p>
  </form>`}export{D as screen};
