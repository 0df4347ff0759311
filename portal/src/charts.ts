/** The charts of the History screen, drawn as SVG. Each is a figure with its numbers in a table below. */

import { html, nothing, svg, type SVGTemplateResult, type TemplateResult } from "lit-html";

import { type Cell, type Period, type Span, type Totals, count, enough, percent, seatsFor, spent } from "./figures.js";

const LEFT = 36;
const RIGHT = 10;
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

interface Figure {
  id: string;
  title: string;
  description: string;
  legend: [mark: SVGTemplateResult, meaning: string][];
  drawing: TemplateResult;
  head: string[];
  rows: TemplateResult[];
}

function figure({ id, title, description, legend, drawing, head, rows }: Figure): TemplateResult {
  return html`<figure class="chart" aria-labelledby="${id}-title" aria-describedby="${id}-description">
    <figcaption>
      <h2 id="${id}-title">${title}</h2>
      <p id="${id}-description">${description}</p>
      <ul class="legend">
        ${legend.map(
          ([mark, meaning]) => html`<li>
            <svg width="18" height="12" aria-hidden="true">${mark}</svg>
            ${meaning}
          </li>`,
        )}
      </ul>
    </figcaption>
    ${drawing}
    <details id="${id}-numbers">
      <summary>Numbers of this chart</summary>
      <div class="scroll" role="region" tabindex="0" aria-label="Numbers: ${title}">
        <table>
          <thead>
            <tr>
              ${head.map((name) => html`<th scope="col">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${rows}
          </tbody>
        </table>
      </div>
    </details>
  </figure>`;
}

const line = (name: string) => svg`<path class=${name} d="M0 6H18" />`;
const box = (name: string, opacity = 1) => svg`<rect class=${name} width="18" height="12" fill-opacity=${opacity} />`;

function canvas(width: number, height: number, label: string, content: unknown): TemplateResult {
  return html`<svg viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="img" aria-label=${label}>
    ${content}
  </svg>`;
}

type Scale = (value: number) => number;

function scale(from: number, until: number, start: number, end: number): Scale {
  return (value) => Math.round((start + ((value - from) / (until - from || 1)) * (end - start)) * 10) / 10;
}

/** Whole numbers from 0 to the highest or above it, with at most five steps. */
function grid(highest: number): number[] {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(1, highest / 5)));
  const step = [1, 2, 5, 10].map((n) => n * magnitude).find((n) => n * 5 >= highest) ?? highest;
  return Array.from({ length: Math.ceil(Math.max(1, highest) / step) + 1 }, (_, i) => i * step);
}

function gridLines(levels: number[], y: Scale, width: number, text: (level: number) => string = String) {
  return levels.map(
    (level) => svg`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(level)} y2=${y(level)} />
      <text class="end" x=${LEFT - 6} y=${y(level) + 4}>${text(level)}</text>`,
  );
}

/** A line in steps, broken where a value is missing. With a base it encloses the area above that base. */
function steps(periods: Period[], value: (period: Period) => number | null, x: Scale, y: Scale, base?: number): string {
  const close = base === undefined ? "" : `V${base}Z`;
  let path = "";
  let end = NaN;
  for (const period of periods) {
    const level = value(period);
    if (level === null) continue;
    const start = base === undefined ? `${y(level)}` : `${base}V${y(level)}`;
    if (period.from === end) path += `V${y(level)}`;
    else path += `${path === "" ? "" : close}M${x(period.from)} ${start}`;
    path += `H${x(period.until)}`;
    end = period.until;
  }
  return path === "" ? "" : path + close;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const wholeDay = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const month = new Intl.DateTimeFormat("en-GB", { month: "short" });

const HOUR = 3_600_000;

/** Times for the axis of time: hours of a short time, else days, else months; as many as there is room for. */
function marks({ from, until }: Span, room: number): [at: number, text: string][] {
  const hours = (until - from) / HOUR;
  const date = new Date(from);
  const times: number[] = [];
  const unit = hours <= 48 ? "hour" : hours <= 24 * 125 ? "day" : "month";
  date.setMinutes(0, 0, 0);
  if (unit !== "hour") date.setHours(0);
  if (unit === "month") date.setDate(1);
  for (; date.getTime() < until; ) {
    if (date.getTime() >= from) times.push(date.getTime());
    if (unit === "hour") date.setTime(date.getTime() + HOUR);
    else if (unit === "day") date.setDate(date.getDate() + 1);
    else date.setMonth(date.getMonth() + 1);
  }
  const [words, gaps] =
    unit === "hour" ? [clock, [1, 2, 3, 6, 12]] : unit === "day" ? [shortDay, [1, 2, 7, 14, 28]] : [month, [1, 2, 3, 6]];
  const every = gaps.find((gap) => times.length / gap <= room / 58) ?? gaps.at(-1)!;
  const kept = times.filter((at, i) => (unit === "hour" ? new Date(at).getHours() : i) % every === 0);
  // A text at the very end would be cut off.
  return kept.filter((at) => ((until - at) / (until - from)) * room > 10).map((at) => [at, words.format(at)]);
}

function meaning(period: Period, isDay: boolean): string[] {
  return [
    (isDay ? wholeDay : dayAndClock).format(period.from),
    String(period.peak),
    String(period.demand),
    period.seats === null ? "–" : String(period.seats),
    spent(period.fullSeconds),
    String(period.denied),
  ];
}

/** Seats in use over time against the license's number, and below the axis the people who were refused. */
export function usageChart(periods: Period[], span: Span, isDay: boolean, width: number, pick: (id: string) => void) {
  const [top, bottom, strip] = [10, 190, 44];
  const highest = Math.max(...periods.map((period) => Math.max(period.peak, period.demand, period.seats ?? 0)));
  const mostDenied = Math.max(...periods.map((period) => period.denied));
  const levels = grid(highest);
  const x = scale(span.from, span.until, LEFT, width - RIGHT);
  const y = scale(0, levels.at(-1)!, bottom, top);
  const below = scale(0, Math.max(1, mostDenied), bottom, bottom + strip);
  const foot = bottom + (mostDenied > 0 ? strip : 0) + 18;
  const per = isDay ? "day" : "half hour";
  const peak = periods.reduce((best, period) => (period.peak > best.peak ? period : best));
  const description =
    `The most seats in use at once in each ${per}. ` +
    (peak.peak > 0 ? `The highest was ${peak.peak}, ${isDay ? "on" : "at"} ${meaning(peak, isDay)[0]}. ` : "") +
    (mostDenied > 0
      ? `Below the line: people who were refused ${isDay ? "on that day (in UTC)" : "in that half hour"}, at most ${mostDenied}.`
      : "No person was refused a seat in this time.");
  const drawing = canvas(
    width,
    foot + 6,
    `Seats in use in each ${per}`,
    svg`${gridLines(levels, y, width)}
      ${marks(span, width - LEFT - RIGHT).map(([at, text]) => svg`<text class="middle" x=${x(at)} y=${foot}>${text}</text>`)}
      <path class="area" d=${steps(periods, (period) => period.peak, x, y, bottom)} />
      <path class="demand" d=${steps(periods, (period) => period.demand, x, y)} />
      <path class="peak" d=${steps(periods, (period) => period.peak, x, y)} />
      <path class="cap" d=${steps(periods, (period) => period.seats, x, y)} />
      ${periods
        .filter((period) => period.denied > 0)
        .map((period) => {
          const bar = Math.max(2, x(period.until) - x(period.from) - 1);
          return svg`<rect class="denied" x=${x(period.from)} y=${bottom + 1} width=${bar} height=${below(period.denied) - bottom} />`;
        })}
      <line class="axis" x1=${LEFT} x2=${width - RIGHT} y1=${bottom} y2=${bottom} />
      ${
        mostDenied > 0
          ? svg`<text class="end" x=${LEFT - 6} y=${bottom + strip}>${mostDenied}</text>`
          : nothing
      }
      ${periods.map((period) => {
        const [when, inUse, wanted, seats, full, denied] = meaning(period, isDay);
        return svg`<rect class="hit" fill="transparent" x=${x(period.from)} y=${top} width=${Math.max(1, x(period.until) - x(period.from))}
          height=${foot - 12 - top} @click=${() => pick(`at-${period.from}`)}
        ><title>${when}: ${inUse} in use, ${wanted} wanted, ${seats} seats, full for ${full}, ${denied} refused</title></rect>`;
      })}`,
  );
  return figure({
    id: "usage",
    title: "Seats in use",
    description,
    legend: [
      [svg`${box("area", 0.25)}<path class="peak" d="M0 1H18" />`, "in use"],
      [line("demand"), "in use and waiting"],
      [line("cap"), "seats of the license"],
      [box("denied"), "people refused"],
    ],
    drawing,
    head: [isDay ? "Day" : "From", "Most in use", "Most wanted", "Seats", "Time full", "People refused"],
    rows: periods.map((period) => {
      const [when, ...numbers] = meaning(period, isDay);
      return html`<tr id="at-${period.from}" tabindex="-1">
        <th scope="row">${when}</th>
        ${numbers.map((number) => html`<td>${number}</td>`)}
      </tr>`;
    }),
  });
}

function hourOf(hour: number): string {
  return `${String(hour).padStart(2, "0")}:00`;
}

/** The week as a map: how full each hour of each weekday is on average. */
export function heatMapChart(week: (Cell | undefined)[][], width: number) {
  const labels = 40;
  const cell = Math.floor((width - labels - 2) / 24);
  const row = 27;
  const every = cell * 3 >= 40 ? 3 : 6;
  const cells = week.flatMap((hours, day) => hours.map((of, hour) => ({ of, day, hour })));
  const known = cells.filter((each): each is { of: Cell; day: number; hour: number } => each.of !== undefined);
  const fullest = known.reduce((best, each) => (each.of.share > best.of.share ? each : best));
  const told = ({ peak, seats, share, weeks, fullWeeks }: Cell) =>
    `${percent(share)} of the ${seats === null ? "highest number" : "seats"}, ${Math.round(peak * 10) / 10} in use` +
    (weeks > 1 ? `, full in ${fullWeeks} of ${weeks} weeks` : fullWeeks > 0 ? ", full for a time" : "");
  const drawing = canvas(
    width,
    7 * row + 22,
    "How full each hour of the week is",
    svg`<defs>
        <pattern id="full" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="stripe" width="2" height="6" />
        </pattern>
      </defs>
      ${WEEKDAYS.map((day, i) => svg`<text class="end" x=${labels - 8} y=${i * row + 18}>${day.slice(0, 3)}</text>`)}
      ${Array.from({ length: 24 / every }, (_, i) => i * every).map(
        (hour) => svg`<text x=${labels + hour * cell} y=${7 * row + 16}>${hourOf(hour)}</text>`,
      )}
      ${known.map(({ of, day, hour }) => {
        const [left, above, wide, high] = [labels + hour * cell, day * row, cell - 1, row - 1];
        return svg`<rect class="empty-cell" x=${left} y=${above} width=${wide} height=${high} />
          <rect class="heat" x=${left} y=${above} width=${wide} height=${high} fill-opacity=${of.share.toFixed(2)} />
          <rect class="hit" x=${left} y=${above} width=${wide} height=${high} fill=${of.share >= 0.9995 ? "url(#full)" : "transparent"}
          ><title>${WEEKDAYS[day]} ${hourOf(hour)}: ${told(of)}</title></rect>`;
      })}`,
  );
  return figure({
    id: "week",
    title: "Hours of the week",
    description:
      "How full each hour is on average: its highest number of seats in use, as a share of the seats." +
      (fullest.of.share > 0 ? ` The fullest is ${WEEKDAYS[fullest.day]} at ${hourOf(fullest.hour)}, with ${told(fullest.of)}.` : ""),
    legend: [
      [box("empty-cell"), "0 %"],
      [svg`${box("empty-cell")}${box("heat", 0.5)}`, "50 %"],
      [box("heat"), "nearly 100 %"],
      [svg`${box("heat")}<rect width="18" height="12" fill="url(#full)" />`, "100 %"],
    ],
    drawing,
    head: ["Hour", ...WEEKDAYS.map((day) => day.slice(0, 3))],
    rows: Array.from(
      { length: 24 },
      (_, hour) => html`<tr>
        <th scope="row">${hourOf(hour)}</th>
        ${week.map((hours) => html`<td>${hours[hour] === undefined ? "–" : percent(hours[hour].share)}</td>`)}
      </tr>`,
    ),
  });
}

/** How much of the busy time each number of seats would have covered. */
export function enoughChart(totals: Totals, seats: number | null, width: number) {
  const all = seatsFor(totals, 100) ?? 0;
  const last = Math.max(all, seats ?? 0) + 1;
  const [top, bottom] = [14, 190];
  const x = scale(0, last, LEFT + 8, width - RIGHT);
  const y = scale(0, 1, bottom, top);
  const share = (number: number) => enough(totals, number) ?? 0;
  const numbers = Array.from({ length: last + 1 }, (_, number) => number);
  const markers = [95, 99, 100].map((wanted) => ({ wanted, number: seatsFor(totals, wanted) ?? 0 }));
  const across = grid(last).filter((number) => number <= last);
  const drawing = canvas(
    width,
    bottom + 40,
    "Share of the busy time for which a number of seats would have been enough",
    svg`${gridLines([0, 0.25, 0.5, 0.75, 1], y, width, (level) => `${level * 100}`)}
      ${across.map((number) => svg`<text class="middle" x=${x(number)} y=${bottom + 18}>${number}</text>`)}
      <text class="middle" x=${(LEFT + width - RIGHT) / 2} y=${bottom + 35}>seats</text>
      <path class="peak" d=${`M${x(0)} ${y(share(0))}` + numbers.slice(1).map((number) => `H${x(number)}V${y(share(number))}`).join("")} />
      ${seats === null ? nothing : svg`<line class="cap" x1=${x(seats)} x2=${x(seats)} y1=${top} y2=${bottom} />`}
      ${markers.map(({ number }) => svg`<circle class="mark" cx=${x(number)} cy=${y(share(number))} r="4" />`)}
      <line class="axis" x1=${LEFT} x2=${width - RIGHT} y1=${bottom} y2=${bottom} />`,
  );
  return figure({
    id: "enough",
    title: "How many seats would have been enough",
    description:
      "For each number of seats: the percentage of the busy time in which no more were wanted. The time is busy while a seat is in use or wanted. " +
      "This is the least that was wanted: a person who knows that all seats are in use does not try.",
    legend: [
      [line("peak"), "busy time covered, in %"],
      ...markers.map(({ wanted, number }): Figure["legend"][number] => [
        svg`<circle class="mark" cx="9" cy="6" r="4" />`,
        `${wanted} %: ${count(number, "seat")}`,
      ]),
      ...(seats === null ? [] : [[line("cap"), `the license: ${count(seats, "seat")}`] satisfies Figure["legend"][number]]),
    ],
    drawing,
    head: ["Seats", "Enough for", "Not covered"],
    rows: numbers.map(
      (number) => html`<tr>
        <th scope="row">${number}</th>
        <td>${percent(share(number))}</td>
        <td>${spent((1 - share(number)) * totals.busySeconds)}</td>
      </tr>`,
    ),
  });
}
