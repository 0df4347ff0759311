/** What the vendor sold: the key, the number of seats, and the terms in words. Nothing here can be changed. */

import { html, nothing, type TemplateResult } from "lit-html";

import { day, duration, time } from "../dates.js";
import { message } from "../frame.js";
import type { License, Page, Screen, Terms } from "../screen.js";

export const screen: Screen = {
  title: "License",
  isForAdmins: true,
  asks: null,
  everySeconds: 15,
  view,
};

/** The licenses whose key is shown. */
const open = new Set<string>();

function view(page: Page): TemplateResult {
  const { licenses } = page.usage;
  if (licenses.length === 0) return message("No license yet", "Your organization has no license. Your vendor adds one.");
  return html`${licenses.map((each) => card(each, page))}
    <p class="muted">Your vendor changes seats and terms. The key only works for users of your organization.</p>`;
}

function card(license: License, page: Page): TemplateResult {
  const { license_key: key, terms, max, license_id: id } = license;
  return html`<section class="card" aria-labelledby=${`license-${id}`}>
    <h2 id=${`license-${id}`}>${license.name ?? id}</h2>
    ${problems(license)}
    <dl>
      ${key === null ? nothing : fact("Key", keyOf(id, key, page))}
      ${fact("Seats", max ?? "not known")}
      ${license.starts_at === null ? nothing : fact("Contract begins", time(license.starts_at, day(new Date(license.starts_at))))}
      ${fact("Contract ends", license.expires_at === null ? "no end" : time(license.expires_at, day(new Date(license.expires_at))))}
      ${terms === null || terms.lease_seconds === null ? nothing : inWords(terms)}
      ${Object.entries(license.features).map(([name, value]) => fact(name, value === true ? "yes" : value === false ? "no" : String(value)))}
    </dl>
    ${key === null ? nothing : howTo(key, page)}
  </section>`;
}

function problems({ terms, misconfigured_fields: fields }: License): TemplateResult | typeof nothing {
  const said = terms !== null && terms.problems.length > 0 ? terms.problems : fields.map((field) => `The field ${field} is wrong.`);
  if (said.length === 0) return nothing;
  return html`<div class="problem">
    <p>Your vendor should correct this:</p>
    <ul>
      ${said.map((each) => html`<li>${each}</li>`)}
    </ul>
  </div>`;
}

const fact = (name: string, value: unknown): TemplateResult => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

function keyOf(id: string, key: string, page: Page): TemplateResult {
  const isOpen = open.has(id);
  const toggle = (): void => {
    if (isOpen) open.delete(id);
    else open.add(id);
    page.redraw();
  };
  return html`<code>${isOpen ? key : "•".repeat(12)}</code>
    <button type="button" class="quiet" aria-expanded=${isOpen} @click=${toggle}>${isOpen ? "Hide" : "Show"}</button>
    <button type="button" class="quiet" @click=${() => void page.copy(key, "the license key")}>Copy</button>`;
}

function inWords(terms: Terms): TemplateResult {
  const { allowed_groups: groups, reservations, max_borrow_seconds: borrow, idle_seconds: idle } = terms;
  const reserved = Object.entries(reservations ?? {}).map(([group, seats]) => `${seats} for ${group}`);
  return html`
    ${fact("Who may take a seat", groups === null ? "all users" : groups.length === 0 ? "no user" : `users of ${groups.join(", ")}`)}
    ${reserved.length === 0 ? nothing : fact("Reserved", reserved.join(", "))}
    ${fact("Devices", terms.max_devices_per_user === null ? "no limit" : `at most ${terms.max_devices_per_user} for each user at a time`)}
    ${fact("Programs on a device", terms.max_instances_per_seat === null ? "share one seat, without a limit" : `at most ${terms.max_instances_per_seat} share one seat`)}
    ${terms.overdraft_seats ? fact("Above the limit", `at most ${terms.overdraft_seats} more seats, which are marked`) : nothing}
    ${fact("Lease", `${duration(terms.lease_seconds ?? 0)}: a seat that its program does not renew for so long is free`)}
    ${terms.grace_seconds ? fact("Without a network", `a program may go on for ${duration(terms.grace_seconds)} after its lease`) : nothing}
    ${idle === null ? nothing : fact("Idle seats", `are given back after ${duration(idle)}`)}
    ${fact("Borrowing", borrow ? `for at most ${duration(borrow)}${terms.max_borrowed_seats === null ? "" : `, at most ${terms.max_borrowed_seats} seats at a time`}` : "off")}
  `;
}

function howTo(key: string, page: Page): TemplateResult {
  const lines = (shown: string): string =>
    `export SEATLEASE_URL=${location.origin}\nexport SEATLEASE_LICENSE_KEY=${shown}\nseatlease login\nseatlease run -- your-program`;
  return html`<details>
    <summary>Run a program with a seat</summary>
    <pre tabindex="0"><code>${lines("…")}</code></pre>
    <button type="button" @click=${() => void page.copy(lines(`'${key}'`), "the commands, with the key")}>Copy with the key</button>
  </details>`;
}
