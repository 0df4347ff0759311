/** `/activity?from=…&to=…&person=…&license=…&type=…`: the audit trail, newest first. `event=…` is one event of it. */

import { html, nothing, type TemplateResult } from "lit-html";

import type { components } from "../answers.js";
import { clock, day, time, ZONE } from "../dates.js";
import { customSpan, datesOf, localDate, midnight, type Span } from "../figures.js";
import { message } from "../frame.js";
import { Latest } from "../latest.js";
import type { Page, Screen } from "../screen.js";
import { type AuditEvent, type Say, tell, WORDS } from "../words.js";

type MembersAnswer = components["schemas"]["MembersAnswer"];

type EventsAnswer = components["schemas"]["TrailAnswer"];

interface Shown {
  key: string;
  events: AuditEvent[];
  next: string | null;
}

const WAITING = html`<p class="empty" role="status">Asking for the activity …</p>`;
const PAGE_SIZE = 100;
const DAYS_AT_FIRST = 7;

const latest = new Latest<Shown>(300);

/** Addresses of people by their user id, from all that was answered in this visit. Others show as their id. */
const addresses = new Map<string, string>();
const members = new Latest<null>(3600);
const MOST_PAGES = 10;

export const screen: Screen = {
  title: "Activity",
  isForAdmins: true,
  asks: null,
  everySeconds: 300,
  view,
};

function view(page: Page): TemplateResult {
  learn([[page.usage.viewer.user_id, page.usage.viewer.email]]);
  learn(page.usage.licenses.flatMap(({ sessions }) => sessions.map(({ user_id, user_email }) => [user_id, user_email])));
  members.want(page.usage.organization.organization_id, () => learnMembers(page), page.redraw);
  const asked = page.url.searchParams;
  const now = page.now.getTime();
  const first = asked.get("from") ?? localDate(midnight(now, 1 - DAYS_AT_FIRST));
  const last = asked.get("to") ?? localDate(now);
  const span = customSpan(first, last, now);
  // Until the members are known, an address may be that of any user id.
  const isEarly = members.isBusy && (asked.get("person") ?? "").includes("@");
  const query = typeof span === "string" || isEarly ? null : queryOf(asked, span);
  if (query !== null) latest.want(query.toString(), () => load(page, query), page.redraw);
  return html`${choices(page, first, last)}
    <div aria-busy=${latest.isBusy}>
      ${typeof span === "string" ? html`<p class="problem">${span}</p>` : query === null ? WAITING : body(page, query, span)}
    </div>`;
}

async function learnMembers(page: Page): Promise<null> {
  let token: string | null = "";
  for (let i = 0; i < MOST_PAGES && token !== null; i++) {
    const query: URLSearchParams = new URLSearchParams({ page_size: "100", ...(token === "" ? {} : { page_token: token }) });
    const answer: MembersAnswer = await page.call<MembersAnswer>("GET", `/v1/members?${query}`);
    learn(answer.members.map(({ user_id, email }) => [user_id, email]));
    token = answer.next_page_token;
  }
  return null;
}

function learn(known: (readonly [userId: string | null, address: unknown])[]): void {
  for (const [userId, address] of known) {
    if (userId !== null && typeof address === "string" && address !== "") addresses.set(userId, address);
  }
}

/** The service has days in UTC: those that the chosen days touch. */
function queryOf(asked: URLSearchParams, span: Span): URLSearchParams {
  const dates = datesOf(span);
  const query = new URLSearchParams({ view: "events", from: dates[0]!, to: dates.at(-1)!, page_size: String(PAGE_SIZE) });
  const person = asked.get("person");
  if (person) query.set("user_id", [...addresses].find(([, address]) => address === person)?.[0] ?? person);
  for (const [ours, theirs] of [["license", "license_id"], ["type", "type"], ["page", "page_token"]] as const) {
    const value = asked.get(ours);
    if (value) query.set(theirs, value);
  }
  return query;
}

async function load(page: Page, query: URLSearchParams): Promise<Shown> {
  const answer = await page.call<EventsAnswer>("GET", `/v1/history?${query}`);
  learn(answer.events.map(({ user_id, details }) => [user_id, details["user_email"]]));
  return { key: query.toString(), events: answer.events, next: answer.next_page_token };
}

function choices(page: Page, first: string, last: string): TemplateResult {
  const asked = page.url.searchParams;
  const choose = (event: Event, word: string) => {
    const { type, value } = event.target as HTMLInputElement;
    // A date of which a part is missing is empty. Another choice begins with its newest event.
    if (type !== "date" || value !== "") page.choose({ [word]: value.trim(), page: null, event: null });
  };
  const option = (word: string, value: string, text: string) =>
    html`<option value=${value} ?selected=${(asked.get(word) ?? "") === value}>${text}</option>`;
  const person = addresses.get(asked.get("person") ?? "") ?? asked.get("person") ?? "";
  return html`<div class="choices">
    <label>From <input type="date" .value=${first} max=${last} @change=${(event: Event) => choose(event, "from")} /></label>
    <label>To <input type="date" .value=${last} min=${first} @change=${(event: Event) => choose(event, "to")} /></label>
    <label
      >Person
      <input list="people" placeholder="all" .value=${person} @change=${(event: Event) => choose(event, "person")} />
    </label>
    <datalist id="people">
      ${[...new Set(addresses.values())].sort().map((address) => html`<option value=${address}></option>`)}
    </datalist>
    <label
      >License
      <select @change=${(event: Event) => choose(event, "license")}>
        ${option("license", "", "all")}
        ${page.usage.licenses.map(({ license_id, name }) => option("license", license_id, name ?? license_id))}
      </select>
    </label>
    <label
      >What
      <select @change=${(event: Event) => choose(event, "type")}>
        ${option("type", "", "all")} ${Object.entries(WORDS).map(([type, { what }]) => option("type", type, what))}
      </select>
    </label>
    <p class="muted">Times are those of ${ZONE}.</p>
  </div>`;
}

function body(page: Page, query: URLSearchParams, span: Span): TemplateResult {
  const shown = latest.value?.key === query.toString() ? latest.value : null;
  const again = () => {
    latest.again();
    page.redraw();
  };
  if (latest.problem !== null) {
    return html`<p class="problem" role="alert">The activity cannot be shown. ${latest.problem}</p>
      <p><button type="button" @click=${again}>Try again</button></p>`;
  }
  if (shown === null) return WAITING;
  const one = page.url.searchParams.get("event");
  const events = shown.events.filter(({ at, event_id }) => {
    const is = Date.parse(at);
    return is >= span.from && is < span.until + 1 && (one === null || one === event_id);
  });
  return html`${events.length > 0 ? table(page, events) : nothingFound(one, shown.next)} ${turn(page, query, shown, one, again)}`;
}

function nothingFound(one: string | null, next: string | null): TemplateResult {
  if (one !== null) {
    return message("The event is not here", next === null ? "It was deleted after its time, or the link is wrong." : "Look at older events.");
  }
  return message(
    next === null ? "Nothing happened in this time" : "Nothing on this page",
    next === null ? "An event comes with each seat that a person takes, gives back or is refused, and with each edit." : "Look at older events.",
  );
}

function table(page: Page, events: AuditEvent[]): TemplateResult {
  const names = new Map(page.usage.licenses.map(({ license_id, name }) => [license_id, name ?? license_id]));
  const say: Say = {
    person: (userId) => addresses.get(userId) ?? userId,
    license: (licenseId) => names.get(licenseId) ?? licenseId,
    time: (at) => moment(new Date(at)),
  };
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Events">
    <table class="events stacked">
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
        ${events.map((event) => {
          const { what, person, by, on, result } = tell(event, say);
          const at = new Date(event.at);
          return html`<tr>
            <td><a href=${linkTo(event)} title="This event alone">${time(at, moment(at))}</a></td>
            <th scope="row">${what}</th>
            <td data-name="Person">${person}${by === "" ? nothing : html` <span class="muted">by ${by}</span>`}</td>
            <td data-name="On what">${on}</td>
            <td data-name="Result">${result}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

function moment(at: Date): string {
  return `${day(at)}, ${clock(at)}`;
}

/** An address that shows one event, for as long as the service keeps it. */
function linkTo({ event_id, at, type, license_id, user_id }: AuditEvent): string {
  const date = localDate(Date.parse(at));
  const query = new URLSearchParams({ event: event_id, from: date, to: date, type });
  if (license_id !== null) query.set("license", license_id);
  if (user_id !== null) query.set("person", user_id);
  return `/activity?${query}`;
}

function turn(page: Page, query: URLSearchParams, { next, events }: Shown, one: string | null, again: () => void): TemplateResult {
  const link = (text: string, changes: Record<string, string | null>) =>
    html`<button type="button" @click=${() => page.choose(changes)}>${text}</button>`;
  return html`<p class="actions">
    ${one === null ? nothing : link("All events of that day", { event: null, type: null, license: null, person: null, page: null })}
    ${query.has("page_token") ? link("Newest", { page: null }) : nothing}
    ${next === null ? nothing : link("Older", { page: next })}
    <button type="button" @click=${again}>Look again</button>
    ${one === null && events.length > 0
      ? html`<button type="button" @click=${() => save(page, query)}>
          ${next === null ? "Save as CSV" : "Save the next 2,000 as CSV"}
        </button>`
      : nothing}
  </p>`;
}

function save(page: Page, query: URLSearchParams): void {
  // From the first event that is shown on, as many as the service gives at once.
  const all = new URLSearchParams(query);
  all.delete("page_size");
  all.set("format", "csv");
  const name = [page.usage.organization.organization_id, "activity", query.get("from"), query.get("to"), "utc"].join("-");
  void page.download(`/v1/history?${all}`, `${name}.csv`);
}
