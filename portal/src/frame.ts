/** What stands around every screen: the way to the others, warnings, the age of what is shown, and what just happened. */

import { html, nothing, type TemplateResult } from "lit-html";

import { Refused, type Unreachable } from "./api.js";
import { clock, time } from "./dates.js";
import type { Usage } from "./screen.js";

export interface Notice {
  text: string;
  isProblem: boolean;
}

const LINKS: readonly (readonly [path: string, title: string])[] = [
  ["/", "Now"],
  ["/history", "History"],
  ["/people", "People"],
  ["/license", "License"],
  ["/activity", "Activity"],
];

/** Older than this, what is shown may be wrong, and the page says so. */
const STALE_SECONDS = 60;

interface Frame {
  path: string;
  screen: { title: string } | null;
  usage: Usage | null;
  now: Date;
  email: string | null;
  problem: Refused | Unreachable | null;
  ageSeconds: number | null;
  updatedAt: Date | null;
  notice: Notice | null;
  body: TemplateResult | null;
  leave(): void;
  again(): void;
  dismiss(): void;
}

export function frame(parts: Frame): TemplateResult {
  const role = parts.usage?.viewer.role;
  const isAdmin = role === "owner" || role === "admin";
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <header>
      <p class="name">${parts.usage?.organization.name ?? "Seats"}</p>
      ${isAdmin
        ? html`<nav aria-label="Screens">
            <ul>
              ${LINKS.map(([path, title]) => html`<li><a href=${path} aria-current=${parts.path === path ? "page" : nothing}>${title}</a></li>`)}
            </ul>
          </nav>`
        : nothing}
      ${who(parts.email, role, parts.leave)}
    </header>
    ${warnings(parts)}
    <main id="main" tabindex="-1">
      <div class="title">
        <h1 tabindex="-1">${parts.screen?.title ?? ""}</h1>
        ${age(parts)}
      </div>
      ${parts.body ?? waiting(parts)}
    </main>
    <div class="notices" role="status">
      ${parts.notice === null
        ? nothing
        : html`<p class=${parts.notice.isProblem ? "notice problem" : "notice"}>
            ${parts.notice.text} <button type="button" class="quiet" @click=${parts.dismiss}>Close</button>
          </p>`}
    </div>
  `;
}

/** The frame of a page for people who may belong to no organization. */
export function doorFrame(email: string | null, body: TemplateResult, leave: () => Promise<void>): TemplateResult {
  return html`
    <header>
      <p class="name">Seats</p>
      ${who(email, undefined, () => void leave())}
    </header>
    <main id="main" class="door" aria-live="polite">${body}</main>
  `;
}

export function message(title: string, text: string, more: TemplateResult | typeof nothing = nothing): TemplateResult {
  return html`<section class="card empty">
    <h2>${title}</h2>
    <p>${text}</p>
    ${more}
  </section>`;
}

function who(email: string | null, role: string | undefined, leave: () => void): TemplateResult {
  return html`<div class="who">
    <span>${email}${role === undefined ? nothing : html` <span class="role">${role}</span>`}</span>
    <button type="button" class="quiet" @click=${leave}>Sign out</button>
  </div>`;
}

function warnings({ usage }: Frame): TemplateResult | typeof nothing {
  const given = usage?.warnings ?? [];
  if (given.length === 0) return nothing;
  return html`<section class="warnings" aria-label="Warnings" aria-live="polite">
    <ul>
      ${given.map((each) => html`<li class=${each.code === "FULL" ? "full" : ""}>${each.message}</li>`)}
    </ul>
  </section>`;
}

function age({ ageSeconds, updatedAt, problem, again }: Frame): TemplateResult | typeof nothing {
  if (ageSeconds === null || updatedAt === null) return nothing;
  const isStale = problem !== null || ageSeconds > STALE_SECONDS;
  const at = time(updatedAt, clock(updatedAt));
  if (!isStale) return html`<p class="age">Last updated ${at}</p>`;
  return html`<p class="age stale" role="status">
    Last updated ${at}. ${problem?.message ?? ""} Trying again.
    <button type="button" class="quiet" @click=${again}>Now</button>
  </p>`;
}

/** Nothing has been answered yet. */
function waiting({ problem, again }: Frame): TemplateResult {
  if (problem === null) return html`<p class="empty" role="status">Asking for the latest …</p>`;
  const button = html`<button type="button" @click=${again}>Try again</button>`;
  if (problem instanceof Refused) return message("This cannot be shown", problem.message, button);
  return message("No connection", `${problem.message} This page asks again by itself.`, button);
}
