/** `/history?license=…&range=30d`: seats in use over time, and how many would have been enough. */

import { html, nothing, type TemplateResult } from "lit-html";
import { guard } from "lit-html/directives/guard.js";

import type { components } from "../answers.js";
import { enoughChart, heatMapChart, usageChart } from "../charts.js";
import { clock, day, time, ZONE } from "../dates.js";
import {
  byDay,
  type Cell,
  customSpan,
  datesOf,
  type Day,
  gaps,
  givenUp,
  halfHours,
  heatMap,
  localDate,
  merge,
  percent,
  type Period,
  type Range,
  RANGES,
  sentence,
  type Span,
  spanOf,
  spent,
  type Totals,
} from "../figures.js";
import { message } from "../frame.js";
import { Latest } from "../latest.js";
import type { License, Page, Screen } from "../screen.js";

type HistoryAnswer = components["schemas"]["HistoryAnswer"];

/** What is asked for: the license, and the time as the address has it. */
interface Choice {
  license: License;
  range: Range | "custom";
  /** The time, or what is wrong with the chosen days. */
  span: Span | string;
  first: string;
  last: string;
}

interface Shown {
  key: string;
  dates: string[];
  span: Span;
  periods: Period[];
  isDay: boolean;
  week: (Cell | undefined)[][];
  totals: Totals;
  lost: string[];
  wasSame: boolean;
}

const HALF_HOURS_UP_TO_MS = 8 * 86_400_000;
/** A day that the service has counted nothing of, and that lies so far back, stays so. */
const SETTLED_AFTER_MS = 3 * 86_400_000;

/** Days that change no more, of this visit: they are asked for once. null: nothing was counted on that day. */
const settled = new Map<string, Day | null>();
const latest = new Latest<Shown>(600);

export const screen: Screen = {
  title: "History",
  isForAdmins: true,
  asks: null,
  everySeconds: 300,
  view,
};

function view(page: Page): TemplateResult {
  const choice = chosen(page);
  if (choice === null) return message("No license yet", "Here you will see how the seats of your licenses are used.");
  const { span } = choice;
  const key = [page.usage.organization.organization_id, choice.license.license_id, choice.range, choice.first, choice.last].join();
  if (typeof span !== "string") latest.want(key, () => load(page, choice, span, key), page.redraw);
  return html`${choices(page, choice)}
    <div aria-busy=${latest.isBusy}>${typeof span === "string" ? html`<p class="problem">${span}</p>` : body(page, choice, key)}</div>`;
}

function chosen({ usage, url, now }: Page): Choice | null {
  const asked = url.searchParams;
  const license = usage.licenses.find(({ license_id }) => license_id === asked.get("license")) ?? usage.licenses[0];
  if (license === undefined) return null;
  const [first, last] = [asked.get("from"), asked.get("to")];
  if (first !== null && last !== null) {
    return { license, range: "custom", span: customSpan(first, last, now.getTime()), first, last };
  }
  const range = Object.keys(RANGES).find((each): each is Range => each === asked.get("range")) ?? "30d";
  const span = spanOf(range, now.getTime());
  return { license, range, span, first: localDate(span.from), last: localDate(span.until) };
}

async function load(page: Page, { license }: Choice, span: Span, key: string): Promise<Shown> {
  const dates = datesOf(span);
  const name = (date: string) => `${page.usage.organization.organization_id}/${license.license_id}/${date}`;
  const fresh = new Map<string, Day>();
  await Promise.all(
    gaps(dates, (date) => settled.has(name(date))).map(async (missing) => {
      const query = new URLSearchParams({ from: missing[0]!, to: missing.at(-1)!, license_id: license.license_id });
      const answer = await page.call<HistoryAnswer>("GET", `/v1/history?${query}`);
      for (const each of answer.licenses.find(({ license_id }) => license_id === license.license_id)?.days ?? []) {
        if (each.is_settled) settled.set(name(each.date), each);
        else fresh.set(each.date, each);
      }
      for (const date of missing) {
        const isOld = Date.parse(date) + SETTLED_AFTER_MS < Date.parse(answer.server_time);
        if (isOld && !fresh.has(date) && !settled.has(name(date))) settled.set(name(date), null);
      }
    }),
  );
  const days = dates.flatMap((date) => fresh.get(date) ?? settled.get(name(date)) ?? []);
  const halves = halfHours(days, span);
  const isDay = span.until - span.from > HALF_HOURS_UP_TO_MS;
  return {
    key,
    dates,
    span,
    periods: isDay ? byDay(halves, days) : halves,
    isDay,
    week: heatMap(halves),
    totals: merge(days),
    lost: givenUp(days),
    wasSame: halves.every(({ seats }) => seats === null || seats === license.max),
  };
}

function choices(page: Page, { license, range, first, last }: Choice): TemplateResult {
  const choose = (event: Event, word: string) => {
    const { value } = event.target as HTMLInputElement;
    // A date of which a part is missing is empty.
    if (value !== "") page.choose({ [word]: value });
  };
  const range_ = (name: string, words: Record<string, string | null>, text: string) =>
    html`<button type="button" aria-pressed=${range === name} @click=${() => page.choose(words)}>${text}</button>`;
  return html`<div class="choices">
    <label
      >License
      <select @change=${(event: Event) => choose(event, "license")}>
        ${page.usage.licenses.map(
          ({ license_id, name }) => html`<option value=${license_id} ?selected=${license_id === license.license_id}>${name ?? license_id}</option>`,
        )}
      </select>
    </label>
    <div class="ranges" role="group" aria-label="Time">
      ${Object.entries(RANGES).map(([name, text]) => range_(name, { range: name, from: null, to: null }, text))}
      ${range_("custom", { range: null, from: first, to: last }, "Other days")}
    </div>
    ${range === "custom"
      ? html`<label>From <input type="date" .value=${first} max=${last} @change=${(event: Event) => choose(event, "from")} /></label>
          <label>To <input type="date" .value=${last} min=${first} @change=${(event: Event) => choose(event, "to")} /></label>`
      : nothing}
    <p class="muted">Times are those of ${ZONE}.</p>
  </div>`;
}

function body(page: Page, choice: Choice, key: string): TemplateResult {
  const shown = latest.value?.key === key ? latest.value : null;
  const problem =
    latest.problem === null
      ? nothing
      : html`<p class="problem" role="alert">
          ${shown === null ? "The history cannot be shown." : "The history could not be brought up to date."} ${latest.problem}
        </p>`;
  const again = () => {
    latest.again();
    page.redraw();
  };
  if (latest.problem !== null) {
    const button = html`<p><button type="button" @click=${again}>Try again</button></p>`;
    return html`${problem}${button}${shown === null ? nothing : figures(page, choice, shown)}`;
  }
  if (shown === null) return html`<p class="empty" role="status">Asking for the history …</p>`;
  return figures(page, choice, shown);
}

function figures(page: Page, { license }: Choice, shown: Shown): TemplateResult {
  const { periods, span, isDay, week, totals, lost, wasSame, dates } = shown;
  if (periods.length === 0) {
    return message(
      "No numbers of this time yet",
      "The service counts once an hour. The first numbers come within an hour after a person took a seat of this license.",
    );
  }
  const width = room();
  return html`<p class="lead">${sentence(totals, license.max, wasSame)}</p>
    ${lost.length === 0 ? nothing : html`<p class="problem">Not counted to the end, because too much happened: ${lost.join(", ")}.</p>`}
    ${numbers(totals)}
    <p class="muted">
      Counted until ${when(periods.at(-1)!)}. These numbers, and how many seats would have been enough, are of whole days in UTC:
      ${dates[0]} to ${dates.at(-1)}.
    </p>
    ${guard([shown, width, license.max], () => {
      // A narrow screen shows one below the other.
      const half = width >= 900 ? Math.floor((width - 72) / 2) : width;
      return html`${usageChart(periods, span, isDay, width, pick)}
        ${totals.busySeconds === 0
          ? nothing
          : html`<div class="pair">${heatMapChart(week, half)} ${enoughChart(totals, license.max, half)}</div>`}`;
    })}
    <p class="actions">
      <button type="button" @click=${() => save(page, license, dates, "half-hours")}>Save each half hour as CSV</button>
      <button type="button" @click=${() => save(page, license, dates, "days")}>Save each day as CSV</button>
    </p>`;
}

function numbers(totals: Totals): TemplateResult {
  const { peak, peakDemand, peopleTurnedAway, busySeconds, seatSeconds, waits } = totals;
  const part = (seconds: number) => (seconds === 0 ? "none" : `${percent(seconds / seatSeconds)} (${spent(seconds)})`);
  const shown: [name: string, value: string, meaning: string][] = [
    ["Most seats in use", String(peak), "at once"],
    ["Most seats wanted", String(peakDemand), "at once, in use and waiting"],
    ["People turned away", String(peopleTurnedAway), "refused, and no seat within 15 minutes; a person counts once a day"],
    ["Waited and got a seat", String(waits), "times"],
    ["Busy time", spent(busySeconds), "while a seat was in use or wanted"],
    ["Idle", part(totals.idleSeatSeconds), "of the seats' time: no sign of life until the lease ran out"],
    ["Borrowed", part(totals.borrowedSeatSeconds), "of the seats' time"],
  ];
  if (totals.overdraftSeatSeconds > 0) shown.push(["Above the license", part(totals.overdraftSeatSeconds), "of the seats' time"]);
  return html`<dl class="numbers">
    ${shown.map(
      ([name, value, meaning]) => html`<div>
        <dt>${name}</dt>
        <dd><strong>${value}</strong> <span class="muted">${meaning}</span></dd>
      </div>`,
    )}
  </dl>`;
}

function when({ until }: Period): TemplateResult {
  const at = new Date(until);
  return time(at, `${day(at)}, ${clock(at)}`);
}

/** How many pixels a chart has. The gaps are those of the style sheet. */
function room(): number {
  const whole = Math.min(document.documentElement.clientWidth, 1760);
  return Math.floor(whole - 4 * Math.min(24, Math.max(12, whole * 0.02)));
}

/** Go from a place in the chart to its row in the table. */
function pick(id: string): void {
  document.querySelector<HTMLDetailsElement>("#usage-numbers")!.open = true;
  document.getElementById(id)?.focus();
}

function save(page: Page, license: License, dates: string[], per: "half-hours" | "days"): void {
  const [from, to] = [dates[0]!, dates.at(-1)!];
  const query = new URLSearchParams({ from, to, license_id: license.license_id, format: "csv", ...(per === "days" ? { per: "day" } : {}) });
  const name = [page.usage.organization.organization_id, license.license_id, per, from, to, "utc"].join("-");
  void page.download(`/v1/history?${query}`, `${name}.csv`);
}

