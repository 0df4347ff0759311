/** Figures from the answer of GET /v1/history. Pure: no network, no page, and the time comes in as `now`.
 *
 * Times are milliseconds since 1970. Days of the answer are days in UTC, with 48 half hours. Days and hours that are
 * shown are those of the browser's time zone. */

import type { components } from "./answers.js";

export type Day = components["schemas"]["DayView"];

export interface Span {
  from: number;
  until: number;
}

/** Seats in a time: a half hour or a day. `seats` is the license's number then; null: none is known. */
export interface Period extends Span {
  peak: number;
  demand: number;
  seats: number | null;
  fullSeconds: number;
  denied: number;
}

const HALF_HOUR = 1_800_000;
const DAY = 48 * HALF_HOUR;

export const RANGES = { "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "12m": "12 months" };
export type Range = keyof typeof RANGES;

/** The service answers at most 400 days in UTC. As many days of another zone may touch one more. */
const MOST_DAYS = 399;

export function midnight(at: number, days = 0): number {
  const date = new Date(at);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

/** The last 24 hours, or whole days of which today is the last. */
export function spanOf(range: Range, now: number): Span {
  if (range === "24h") return { from: Math.floor((now - DAY) / HALF_HOUR) * HALF_HOUR, until: now };
  if (range !== "12m") return { from: midnight(now, 1 - parseInt(range)), until: now };
  const today = new Date(now);
  return { from: new Date(today.getFullYear() - 1, today.getMonth(), today.getDate()).getTime(), until: now };
}

/** From the first day's beginning to the last day's end, or a sentence that says what is wrong. */
export function customSpan(first: string, last: string, now: number): Span | string {
  const from = new Date(`${first}T00:00`).getTime();
  const end = midnight(new Date(`${last}T00:00`).getTime(), 1);
  if (Number.isNaN(from + end)) return "Choose the first day and the last day.";
  if (from >= end) return "The first day is after the last day.";
  if (from > now) return "The first day is in the future.";
  const until = Math.min(end, now);
  if (midnight(from, MOST_DAYS) < until) return `Choose at most ${MOST_DAYS} days.`;
  return { from, until };
}

/** The days in UTC that a time touches. */
export function datesOf({ from, until }: Span): string[] {
  const dates = [];
  for (let at = Math.floor(from / DAY) * DAY; at < until; at += DAY) dates.push(new Date(at).toISOString().slice(0, 10));
  return dates;
}

/** The days that are not known yet, as few times that leave out the known ones. */
export function gaps(dates: string[], isKnown: (date: string) => boolean): string[][] {
  const found: string[][] = [];
  dates.forEach((date, i) => {
    if (isKnown(date)) return;
    if (i > 0 && !isKnown(dates[i - 1]!)) found.at(-1)!.push(date);
    else found.push([date]);
  });
  return found;
}

/** The half hours that have begun when the day was computed. Half hours without an answer are missing. */
export function halfHours(days: Day[], span: Span): Period[] {
  return days.flatMap((day) => {
    const start = Date.parse(day.date);
    const known = Date.parse(day.computed_at);
    return day.peak_in_use
      .map((peak, i) => ({
        from: start + i * HALF_HOUR,
        until: Math.min(start + (i + 1) * HALF_HOUR, known),
        peak,
        demand: day.peak_demand[i] ?? peak,
        seats: day.seats[i] ?? null,
        fullSeconds: day.full_seconds[i] ?? 0,
        denied: day.denied_people[i] ?? 0,
      }))
      .filter((period) => period.from < period.until && period.from >= span.from && period.from < span.until);
  });
}

/** Days of the browser's zone. People do not add up over half hours, so they are those of the day in UTC of that date. */
export function byDay(periods: Period[], days: Day[]): Period[] {
  const denied = new Map(days.map((day) => [day.date, day.people_denied]));
  const merged = new Map<number, Period>();
  for (const period of periods) {
    const from = midnight(period.from);
    const until = Math.min(period.until, midnight(from, 1));
    const day = merged.get(from);
    if (day === undefined) {
      merged.set(from, { ...period, from, until, denied: denied.get(localDate(from)) ?? 0 });
    } else {
      day.until = until;
      day.peak = Math.max(day.peak, period.peak);
      day.demand = Math.max(day.demand, period.demand);
      day.seats = period.seats ?? day.seats;
      day.fullSeconds += period.fullSeconds;
    }
  }
  return [...merged.values()];
}

export function localDate(at: number): string {
  const date = new Date(at);
  return new Date(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())).toISOString().slice(0, 10);
}

/** One weekday's hour over all weeks. `seats` is null if no cap is known; `share` is then of the highest peak. */
export interface Cell {
  peak: number;
  seats: number | null;
  share: number;
  weeks: number;
  fullWeeks: number;
}

/** Monday to Sunday, each with 24 hours: the mean of the hour's peaks. Undefined: no such hour is known. */
export function heatMap(periods: Period[]): (Cell | undefined)[][] {
  const hours = new Map<string, { day: number; hour: number; peak: number; seats: number | null; full: boolean }>();
  for (const period of periods) {
    const date = new Date(period.from);
    const [day, hour] = [(date.getDay() + 6) % 7, date.getHours()];
    const key = `${midnight(period.from)} ${hour}`;
    const before = hours.get(key);
    hours.set(key, {
      day,
      hour,
      peak: Math.max(period.peak, before?.peak ?? 0),
      seats: period.seats ?? before?.seats ?? null,
      full: period.fullSeconds > 0 || before?.full === true,
    });
  }
  const highest = Math.max(1, ...[...hours.values()].map((hour) => hour.peak));
  const week: (Cell | undefined)[][] = Array.from({ length: 7 }, () => Array(24).fill(undefined));
  for (const { day, hour, peak, seats, full } of hours.values()) {
    const before = week[day]![hour] ?? { peak: 0, seats: null, share: 0, weeks: 0, fullWeeks: 0 };
    const weeks = before.weeks + 1;
    const mean = (sum: number, one: number) => (sum * before.weeks + one) / weeks;
    week[day]![hour] = {
      peak: mean(before.peak, peak),
      seats: seats ?? before.seats,
      // Without a seat for sale at that time, any use is as full as can be.
      share: mean(before.share, Math.min(1, peak / Math.max(1, seats ?? highest))),
      weeks,
      fullWeeks: before.fullWeeks + (full ? 1 : 0),
    };
  }
  return week;
}

/** What days add up to. The time is busy while a seat is in use or wanted. People are counted once for each day, so one person may count on several days. */
export interface Totals {
  peak: number;
  peakDemand: number;
  demand: Map<number, number>;
  busySeconds: number;
  seatSeconds: number;
  idleSeatSeconds: number;
  borrowedSeatSeconds: number;
  overdraftSeatSeconds: number;
  peopleTurnedAway: number;
  waits: number;
}

export function merge(days: Day[]): Totals {
  const sum = (of: (day: Day) => number) => days.reduce((total, day) => total + of(day), 0);
  const demand = new Map<number, number>();
  for (const day of days) {
    for (const [seats, seconds] of Object.entries(day.demand_seconds_at)) {
      demand.set(Number(seats), (demand.get(Number(seats)) ?? 0) + seconds);
    }
  }
  return {
    peak: Math.max(0, ...days.flatMap((day) => day.peak_in_use)),
    peakDemand: Math.max(0, ...days.flatMap((day) => day.peak_demand)),
    demand,
    busySeconds: sum((day) => Object.values(day.demand_seconds_at).reduce((all, one) => all + one, 0)) - (demand.get(0) ?? 0),
    seatSeconds: sum((day) => day.seat_seconds),
    idleSeatSeconds: sum((day) => day.idle_seat_seconds),
    borrowedSeatSeconds: sum((day) => day.borrowed_seat_seconds),
    overdraftSeatSeconds: sum((day) => day.overdraft_seat_seconds),
    peopleTurnedAway: sum((day) => day.people_turned_away),
    waits: sum((day) => day.waits.count),
  };
}

/** The days whose numbers end before their end, and never go on: the organization had too many events on them. */
export function givenUp(days: Day[]): string[] {
  return days.filter((day) => day.is_settled && !day.is_complete).map(({ date }) => date);
}

/** The seconds of the busy time in which more seats were wanted. */
function short({ demand }: Totals, seats: number): number {
  return [...demand].reduce((total, [wanted, seconds]) => total + (wanted > seats ? seconds : 0), 0);
}

/** The share of the busy time for which so many seats would have been enough; null: there was no busy time. */
export function enough(totals: Totals, seats: number): number | null {
  return totals.busySeconds === 0 ? null : 1 - short(totals, seats) / totals.busySeconds;
}

/** The fewest seats that would have been enough for so many percent of the busy time; null: there was none. */
export function seatsFor(totals: Totals, percent: number): number | null {
  const { demand, busySeconds: busy } = totals;
  if (busy === 0) return null;
  const levels = [...demand.keys()].sort((a, b) => a - b);
  // In whole numbers, as the service counts.
  return levels.find((seats) => (busy - short(totals, seats)) * 100 >= busy * percent) ?? null;
}

/** Rounded down, so that 100 % means all of it. */
export function percent(share: number): string {
  return `${Math.floor(share * 1000 + 1e-9) / 10} %`;
}

/** "20 seats were enough for 97.2 % of the busy time; 23 would have been enough for 99 %, 26 for all of it."
 *
 * `seats` is the license's number now; null: no cap. `isOld` says that it was the same all the time. */
export function sentence(totals: Totals, seats: number | null, isOld: boolean): string {
  const [most, all] = [seatsFor(totals, 99), seatsFor(totals, 100)];
  if (most === null || all === null) return "No seat was in use or wanted in this time.";
  const share = seats === null ? null : enough(totals, seats);
  const wanted: [number: number, what: string][] = [];
  // Between 99 and 100 % only all of it is news.
  if (most < all && most !== seats && !(share !== null && share >= 0.99 && share < 1)) wanted.push([most, "99 %"]);
  if (all !== seats) wanted.push([all, "all of it"]);
  const rest = wanted.map(([number, what], i) => `${number}${i === 0 ? " would have been enough" : ""} for ${what}`).join(", ");
  if (share === null) {
    return most < all
      ? `${count(most, "seat")} would have been enough for 99 % of the busy time, ${all} for all of it.`
      : `${count(all, "seat")} would have been enough for all of the busy time.`;
  }
  const were = isOld ? (seats === 1 ? "was" : "were") : "would have been";
  return `${count(seats!, "seat")} ${were} enough for ${percent(share)} of the busy time${rest === "" ? "" : `; ${rest}`}.`;
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** A sum of seconds: "40 s", "5 min", "3 h 20 min", "131 h". */
export function spent(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 || hours >= 100 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
