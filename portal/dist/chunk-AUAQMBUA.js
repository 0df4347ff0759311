import{a as r}from"./chunk-5HJYI3J3.js";import{b as u,e as c}from"./chunk-VEPLDJUZ.js";import{a as i,d as a}from"./chunk-R6NRDR3T.js";var g=[["/","Now"],["/history","History"],["/people","People"],["/license","License"],["/activity","Activity"]],d=60;function T(e){let t=e.usage?.viewer.role,n=t==="owner"||t==="admin";return i`
    <a class="skip" href="#main">Skip to the content</a>
    <header>
      <p class="name">${e.usage?.organization.name??"Seats"}</p>
      ${n?i`<nav aria-label="Screens">
            <ul>
              ${g.map(([s,l])=>i`<li><a href=${s} aria-current=${e.path===s?"page":a}>${l}</a></li>`)}
            </ul>
          </nav>`:a}
      ${p(e.email,t,e.leave)}
    </header>
    ${f(e)}
    <main id="main" tabindex="-1">
      <div class="title">
        <h1 tabindex="-1">${e.screen?.title??""}</h1>
        ${$(e)}
      </div>
      ${e.body??h(e)}
    </main>
    <div class="notices" role="status">
      ${e.notice===null?a:i`<p class=${e.notice.isProblem?"notice problem":"notice"}>
            ${e.notice.text} <button type="button" class="quiet" @click=${e.dismiss}>Close</button>
          </p>`}
    </div>
  `}function R(e,t,n){return i`
    <header>
      <p class="name">Seats</p>
      ${p(e,void 0,()=>{n()})}
    </header>
    <main id="main" class="door" aria-live="polite">${t}</main>
  `}function m(e,t,n=a){return i`<section class="card empty">
    <h2>${e}</h2>
    <p>${t}</p>
    ${n}
  </section>`}function p(e,t,n){return i`<div class="who">
    <span>${e}${t===void 0?a:i` <span class="role">${t}</span>`}</span>
    <button type="button" class="quiet" @click=${n}>Sign out</button>
  </div>`}function f({usage:e}){let t=e?.warnings??[];return t.length===0?a:i`<section class="warnings" aria-label="Warnings" aria-live="polite">
    <ul>
      ${t.map(n=>i`<li class=${n.code==="FULL"?"full":""}>${n.message}</li>`)}
    </ul>
  </section>`}function $({ageSeconds:e,updatedAt:t,problem:n,again:s}){if(e===null||t===null)return a;let l=n!==null||e>d,o=c(t,u(t));return l?i`<p class="age stale" role="status">
    Last updated ${o}. ${n?.message??""} Trying again.
    <button type="button" class="quiet" @click=${s}>Now</button>
  </p>`:i`<p class="age">Last updated ${o}</p>`}function h({problem:e,again:t}){if(e===null)return i`<p class="empty" role="status">Asking for the latest …</p>`;let n=i`<button type="button" @click=${t}>Try again</button>`;return e instanceof r?m("This cannot be shown",e.message,n):m("No connection",`${e.message} This page asks again by itself.`,n)}export{T as a,R as b,m as c};
