/** Who holds which seat at this moment. */

import { html, nothing, svg, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

import { csv } from "../csv.js";
import { ago, ahead, day, duration, time, when } from "../dates.js";
import { message } from "../frame.js";
import type { License, Page, Screen, Session } from "../screen.js";

export const screen: Screen = {
  title: "Now",
  isForAdmins: false,
  asks: (url) => {
    const token = url.searchParams.get("page");
    return `/v1/usage?view=now&page_size=500${token === null ? "" : `&page_token=${encodeURIComponent(token)}`}`;
  },
  everySeconds: 15,
  view,
};

/** A seat, and the license that it is of. */
interface Row {
  session: Session;
  license: License;
}

/** The seat that the dialog is about. */
let chosen: Row | null = null;

/** For how long the person whose seat is taken back gets none. */
const KEEP_OUT: readonly (readonly [seconds: number, text: string])[] = [
  [0, "at once, if a seat is free"],
  [15 * 60, "in 15 minutes"],
  [3600, "in an hour"],
  [86_400, "in a day"],
  [7 * 86_400, "in a week"],
];

function view(page: Page): TemplateResult {
  const { licenses, organization } = page.answer;
  if (licenses.length === 0) {
    return message("No license yet", "Your organization has no license. Your vendor adds one; then this screen shows its seats.");
  }
  const sum = `${organization.in_use}${organization.max === null ? "" : ` of ${organization.max}`} seats in use`;
  return html`
    <p class="hidden" aria-live="polite">${sum}</p>
    ${organization.max === null
      ? nothing
      : html`<p>All licenses together: <strong>${organization.in_use} of ${organization.max}</strong> seats in use.</p>`}
    <div class="cards">${repeat(licenses, (each) => each.license_id, (each) => card(each, page))}</div>
    ${table(page)} ${dialog(page)}
  `;
}

function card(license: License, page: Page): TemplateResult {
  const { in_use: used, max, borrowed, overdraft, waiting, earliest_expiry_at: next } = license;
  return html`<section class="card" aria-labelledby=${`license-${license.license_id}`}>
    <h2 id=${`license-${license.license_id}`}>${nameOf(license)}</h2>
    ${STATUS[license.status] === undefined ? nothing : html`<p class="problem">${STATUS[license.status]}</p>`}
    <p class="big"><strong>${used}</strong>${max === null ? nothing : html` of ${max}`} <span>${max === 1 ? "seat" : "seats"} in use</span></p>
    ${max === null ? nothing : bar(license)}
    <dl>
      ${max === null ? nothing : fact("Free", Math.max(0, max - used))}
      ${overdraft.in_use === 0 ? nothing : fact("Above the limit", `${overdraft.in_use} of at most ${overdraft.max}`)}
      ${borrowed.in_use === 0 && !borrowed.max ? nothing : fact("Borrowed", `${borrowed.in_use}${borrowed.max === null ? "" : ` of at most ${borrowed.max}`}`)}
      ${license.pools.map((pool) => fact(pool.group === null ? "Not reserved" : `Reserved for ${pool.group}`, `${pool.in_use} of ${pool.max} in use`))}
      ${waiting.count === 0 || waiting.since === null ? nothing : fact("Waiting", html`${waiting.count}, the first since ${ago(waiting.since, page.now)}`)}
      ${next === null ? nothing : fact("Next lease ends", ahead(next, page.now))}
      ${license.expires_at === null ? nothing : fact("Contract ends", end(license.expires_at, page.now))}
    </dl>
    ${borrowed.overhang.map(
      (each) => html`<p class="muted">
        Ended, but the device ${each.hardware_id} of ${each.user_email ?? each.user_id} may still work until
        ${when(each.until, page.now)}, because it has borrowed the seat.
      </p>`,
    )}
  </section>`;
}

const STATUS: Readonly<Record<License["status"], string | undefined>> = {
  active: undefined,
  inactive: "Switched off: it gives no seats.",
  not_started: "Not started yet: it gives no seats.",
  expired: "Ended: it gives no seats. Ask your vendor to renew it.",
  misconfigured: "Your vendor must correct this license: it gives no seats.",
};

const nameOf = (license: License): string => license.name ?? license.license_id;
const fact = (name: string, value: unknown): TemplateResult => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

function end(at: string, now: Date): TemplateResult {
  const days = Math.ceil((Date.parse(at) - now.getTime()) / 86_400_000);
  const left = days <= 0 ? "ended" : days === 1 ? "within a day" : `in ${days} days`;
  return time(at, `${day(new Date(at))} (${left})`);
}

/** How full it is: seats in use, of them the borrowed ones hatched. */
function bar({ in_use: used, max, borrowed }: License): TemplateResult {
  const whole = Math.max(max ?? 0, used, 1);
  const share = (seats: number): string => `${(100 * seats) / whole}%`;
  const away = Math.min(borrowed.in_use, used);
  const said = `${used} of ${max} seats in use${away === 0 ? "" : `, ${away} of them borrowed`}`;
  return html`<svg class=${used >= (max ?? 0) ? "bar full" : "bar"} role="img" aria-label=${said}>
    <defs>
      <pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="away" width="6" height="6" /><rect class="line" width="2" height="6" />
      </pattern>
    </defs>
    <rect class="track" width="100%" height="100%" />
    <rect class="used" width=${share(used - away)} height="100%" />
    ${away === 0 ? nothing : svg`<rect x=${share(used - away)} width=${share(away)} height="100%" fill="url(#hatched)" />`}
  </svg>`;
}

function table(page: Page): TemplateResult {
  const { answer, url, isAdmin } = page;
  const all: Row[] = answer.licenses.flatMap((license) => license.sessions.map((session) => ({ session, license })));
  all.sort((a, b) => personOf(a).localeCompare(personOf(b)) || a.session.started_at.localeCompare(b.session.started_at));
  const words = (url.searchParams.get("find") ?? "").toLowerCase();
  const rows = all.filter((row) => words === "" || cells(row).some((cell) => String(cell).toLowerCase().includes(words)));
  const title = isAdmin ? "Seats in use" : "Your seats";
  if (page.usage.viewer.role === "guest") return message("You are a guest", "Guests hold no seats. You see how many are in use.");
  if (all.length === 0) {
    const how = isAdmin
      ? html`<p><a href="/license">The license's key and how to use it</a></p>`
      : html`<p>Start the program. It takes a seat by itself, and you see it here.</p>`;
    return message(isAdmin ? "No seat is in use" : "You hold no seat", "A seat appears here when a program takes it, and goes when the program ends.", how);
  }
  return html`<section>
    <div class="title">
      <h2 id="seats">${title}</h2>
      <div class="actions inline">
        ${isAdmin
          ? html`<label for="find">Find</label>
              <input id="find" type="search" placeholder="person, device, address" .value=${url.searchParams.get("find") ?? ""}
                @input=${(event: InputEvent) => page.choose({ find: (event.target as HTMLInputElement).value })} />
              <button type="button" @click=${() => void page.copy(csv([HEADINGS, ...rows.map(cells)]), `${rows.length} rows as CSV`)}>Copy as CSV</button>`
          : nothing}
      </div>
    </div>
    <div class="scroll" role="region" aria-labelledby="seats" tabindex="0">
      <table class="stacked">
        <thead>
          <tr>
            <th scope="col">Person</th><th scope="col">Device</th><th scope="col">Program</th><th scope="col">Since</th>
            <th scope="col">Last heard of</th><th scope="col">Lease until</th><th scope="col">Kind</th>
            ${answer.licenses.length > 1 ? html`<th scope="col">License</th>` : nothing}
            <th scope="col"><span class="hidden">Action</span></th>
          </tr>
        </thead>
        <tbody>
          ${repeat(rows, ({ session }) => session.session_id, (row) => line(row, page))}
        </tbody>
      </table>
    </div>
    ${rows.length === 0 ? html`<p class="empty">No seat matches “${words}”.</p>` : nothing}
    ${answer.next_page_token === null && !url.searchParams.has("page")
      ? nothing
      : html`<p class="actions">
          ${url.searchParams.has("page") ? html`<a href="/">First page</a>` : nothing}
          ${answer.next_page_token === null ? nothing : html`<a href=${`/?page=${encodeURIComponent(answer.next_page_token)}`}>More seats</a>`}
        </p>`}
  </section>`;
}

const personOf = ({ session }: Row): string => session.user_email ?? session.user_id;

function line(row: Row, page: Page): TemplateResult {
  const { session, license } = row;
  const isOwn = session.user_id === page.usage.viewer.user_id;
  const choose = (): void => {
    chosen = row;
    page.redraw();
    document.querySelector<HTMLDialogElement>("#release")?.showModal();
  };
  return html`<tr>
    <th scope="row">${personOf(row)}</th>
    <td data-name="Device">${session.hardware_id}<br /><span class="muted">${session.addresses.length > 1 ? session.addresses.join(", ") : session.ip_address}</span></td>
    <td data-name="Program">${session.user_agent}${session.instances > 1 ? html`<br /><span class="muted">${session.instances} programs share it</span>` : nothing}</td>
    <td data-name="Since">${ago(session.started_at, page.now)}</td>
    <td data-name="Last heard of">${ago(session.last_heartbeat_at, page.now)}</td>
    <td data-name="Lease until">${when(session.lease_expires_at, page.now)}</td>
    <td data-name="Kind">${kind(session, page)}</td>
    ${page.answer.licenses.length > 1 ? html`<td data-name="License">${nameOf(license)}</td>` : nothing}
    <td>
      <button type="button" class=${isOwn ? "" : "danger"} aria-label=${`${isOwn ? "Give back" : "Take back"} the seat of ${personOf(row)} on ${session.hardware_id}`} @click=${choose}>
        ${isOwn ? "Give back" : "Take back"}
      </button>
    </td>
  </tr>`;
}

function kind(session: Session, { now }: Page): TemplateResult | string {
  if (session.borrowed_until !== null) return html`borrowed until ${when(session.borrowed_until, now)}`;
  if (session.is_overdraft) return "above the limit";
  return session.pool === null ? "seat" : `reserved for ${session.pool}`;
}

const HEADINGS = [
  "person", "user_id", "license", "device", "addresses", "program", "since", "last_heard_of", "lease_until", "borrowed_until", "pool", "above_limit", "session_id",
] as const;

function cells({ session, license }: Row): (string | number | null)[] {
  return [
    session.user_email, session.user_id, nameOf(license), session.hardware_id, session.addresses.join(" ") || session.ip_address, session.user_agent,
    session.started_at, session.last_heartbeat_at, session.lease_expires_at, session.borrowed_until, session.pool, session.is_overdraft ? "yes" : "no", session.session_id,
  ];
}

/** Asks once more, because the program of another person stops. */
function dialog(page: Page): TemplateResult {
  const close = (): void => document.querySelector<HTMLDialogElement>("#release")?.close();
  // Its field goes with it: what was chosen for one person must not stand there for the next.
  const closed = (): void => {
    chosen = null;
    page.redraw();
  };
  return html`<dialog id="release" aria-labelledby="release-title" @close=${closed}>
    ${chosen === null ? nothing : question(chosen, page, close)}
  </dialog>`;
}

function question(row: Row, page: Page, close: () => void): TemplateResult {
  const { session } = row;
  const isOwn = session.user_id === page.usage.viewer.user_id;
  const person = personOf(row);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const keptOutFor = Number(new FormData(event.target as HTMLFormElement).get("keep_out") ?? 0);
    close();
    void page.act(async () => {
      const until = keptOutFor === 0 ? {} : { until: new Date(page.now.getTime() + keptOutFor * 1000).toISOString() };
      await page.call("POST", "/v1/release", { session_id: session.session_id, ...until });
      return isOwn ? "You have given the seat back." : `The seat of ${person} is free. The program is told at its next heartbeat.`;
    });
  };
  return html`<form @submit=${submit}>
    <h2 id="release-title">${isOwn ? "Give this seat back?" : `Take back the seat of ${person}?`}</h2>
    <p>
      ${session.hardware_id}, ${session.user_agent ?? "a program"}, in use for
      ${duration((page.now.getTime() - Date.parse(session.started_at)) / 1000)}.
    </p>
    ${session.borrowed_until === null
      ? html`<p>The seat is free at once. The program is told at its next heartbeat, usually within two minutes, and then stops.</p>`
      : html`<p>The seat is borrowed. The device may work without a connection until ${when(session.borrowed_until, page.now)}, whatever you do here.</p>`}
    ${isOwn
      ? nothing
      : html`<label for="keep-out">${person} may take a seat again</label>
          <select id="keep-out" name="keep_out">
            ${KEEP_OUT.map(([seconds, text]) => html`<option value=${seconds}>${text}</option>`)}
          </select>`}
    <p class="actions">
      <button class=${isOwn ? "main" : "main danger"}>${isOwn ? "Give back" : "Take back"}</button>
      <button type="button" @click=${close}>Cancel</button>
    </p>
  </form>`;
}
