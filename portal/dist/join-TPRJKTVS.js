import{d as m}from"./chunk-64T42VER.js";import{a as p,b as d}from"./chunk-5HJYI3J3.js";import{a as o}from"./chunk-R6NRDR3T.js";var g=6e4,w=2e3,t=null,s="",l=!1,k={title:"Join your organization",open:e=>{c(e)},view:T};async function c(e){let{api:i,user:a,url:f,redraw:u}=e;t=null,l=!0,u();try{if(await a.reload(),!await r(e)&&a.emailVerified){let n=f.searchParams.get("org");await i.call("POST","/v1/join",n===null?{}:{organization_id:n});let h=performance.now()+g;for(;!await r(e)&&performance.now()<h;)await new Promise(y=>setTimeout(y,w))}if(await r(e)){location.replace("/");return}a.emailVerified&&(t="You have joined, but your account is not ready yet. Try again in a minute.")}catch(n){t=n instanceof p||n instanceof d?n.message:"There is no connection. Try again."}l=!1,u()}async function r({user:e}){let{claims:i}=await e.getIdTokenResult(!0);return typeof i.org_id=="string"}async function b({user:e,redraw:i}){await m(e,{url:location.href}).then(()=>s="The mail is on its way.",()=>s="The mail could not be sent. Wait some minutes, then try again."),i()}function T(e){return l?o`<section class="card"><h1>Join your organization</h1><p>One moment …</p></section>`:e.user.emailVerified?o`<section class="card">
    <h1>You belong to no organization yet</h1>
    ${t===null?o`<p>If a colleague has invited ${e.user.email}, you can join now.</p>`:o`<p class="problem">${t}</p>`}
    <p>
      An owner or admin of your organization invites you on the screen People. The invitation must name the address
      ${e.user.email}, and lasts 14 days.
    </p>
    <p class="actions">
      <button type="button" class="main" @click=${()=>{c(e)}}>${t===null?"Join":"Try again"}</button>
    </p>
  </section>`:o`<section class="card">
      <h1>Confirm your address</h1>
      <p>We have sent a mail to ${e.user.email}. Open the link in it, then come back to this page.</p>
      <p role="status">${s}</p>
      <p class="actions">
        <button type="button" class="main" @click=${()=>{c(e)}}>I have opened the link</button>
        <button type="button" @click=${()=>{b(e)}}>Send the mail again</button>
      </p>
    </section>`}export{k as door};
