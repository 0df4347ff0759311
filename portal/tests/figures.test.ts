/** Tests of the figures. `node --test` runs them in several time zones: see tests/portal/test_figures.py. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type Day,
  type Period,
  byDay,
  customSpan,
  datesOf,
  enough,
  gaps,
  givenUp,
  halfHours,
  heatMap,
  localDate,
  merge,
  midnight,
  percent,
  seatsFor,
  sentence,
  spanOf,
  spent,
} from "../src/figures.js";

const HOUR = 3_600_000;

function day(date: string, more: Partial<Day> = {}): Day {
  const each = <T>(value: T): T[] => Array<T>(48).fill(value);
  return {
    date,
    is_settled: true,
    is_complete: true,
    computed_at: new Date(Date.parse(date) + 72 * HOUR).toISOString(),
    peak_in_use: each(0),
    peak_demand: each(0),
    seats: each(20),
    full_seconds: each(0),
    denied_people: each(0),
    seconds_at: { "0": 86_400 },
    demand_seconds_at: { "0": 86_400 },
    seat_seconds: 0,
    idle_seat_seconds: 0,
    borrowed_seat_seconds: 0,
    overdraft_seat_seconds: 0,
    waits: { count: 0, p50_seconds: null, p95_seconds: null },
    people_denied: 0,
    people_turned_away: 0,
    ...more,
  };
}

const WHOLE = { from: 0, until: Infinity };

const busy = day("2026-03-02", {
  seconds_at: { "0": 76_400, "5": 9_000, "20": 1_000 },
  demand_seconds_at: { "0": 76_400, "5": 9_000, "20": 720, "23": 200, "26": 80 },
});

test("a day that was given up is told, and one that is still counted is not", () => {
  const days = [day("2026-03-02"), day("2026-03-03", { is_complete: false }), day("2026-03-04", { is_settled: false, is_complete: false })];
  assert.deepEqual(givenUp(days), ["2026-03-03"]);
});

test("the sentence says for how much of the busy time the seats were enough, and how many would have been", () => {
  assert.equal(
    sentence(merge([busy]), 20, true),
    "20 seats were enough for 97.2 % of the busy time; 23 would have been enough for 99 %, 26 for all of it.",
  );
});

test("the sentence leaves out what says nothing new", () => {
  const totals = merge([busy]);

  assert.equal(sentence(totals, 23, true), "23 seats were enough for 99.2 % of the busy time; 26 would have been enough for all of it.");
  assert.equal(sentence(totals, 26, true), "26 seats were enough for 100 % of the busy time; 23 would have been enough for 99 %.");
  assert.equal(
    sentence(totals, 40, true),
    "40 seats were enough for 100 % of the busy time; 23 would have been enough for 99 %, 26 for all of it.",
  );
  assert.equal(sentence(totals, null, true), "23 seats would have been enough for 99 % of the busy time, 26 for all of it.");
  assert.equal(sentence(merge([day("2026-03-02")]), 20, true), "No seat was in use or wanted in this time.");
});

test("the license's number of today is not said to have been there all the time if it was changed", () => {
  assert.match(sentence(merge([busy]), 20, false), /^20 seats would have been enough for 97.2 %/);
});

test("a share is rounded down, so that 100 % means all of the time", () => {
  assert.equal(percent(0.99999), "99.9 %");
  assert.equal(percent(1), "100 %");
  assert.equal(percent(0.972), "97.2 %");
});

test("the time is busy while a seat is in use or wanted", () => {
  const refused = day("2026-03-02", { demand_seconds_at: { "0": 86_000, "1": 400 }, seconds_at: { "0": 86_400 } });

  assert.equal(merge([refused]).busySeconds, 400);
});

test("seconds at each number of seats add up over days, and peaks merge by the highest", () => {
  const other = day("2026-03-03", { peak_in_use: Array(48).fill(4), demand_seconds_at: { "5": 1_000 }, seconds_at: { "5": 1_000 } });

  const totals = merge([busy, other]);

  assert.equal(totals.demand.get(5), 10_000);
  assert.equal(totals.busySeconds, 11_000);
  assert.equal(totals.peak, 4);
});

test("with more seats never less of the time is covered, and the fewest that cover a share do so", () => {
  const totals = merge([busy]);
  const shares = Array.from({ length: 30 }, (_, seats) => enough(totals, seats)!);

  shares.slice(1).forEach((share, i) => assert.ok(share >= shares[i]!));
  for (const percent of [50, 95, 99, 100]) {
    const seats = seatsFor(totals, percent)!;
    assert.ok(shares[seats]! >= percent / 100);
    assert.ok(shares[seats - 1]! < percent / 100);
  }
});

test("half hours that have not begun are no zeros: they are missing", () => {
  const today = day("2026-03-02", { is_settled: false, computed_at: "2026-03-02T10:10:00Z" });

  const known = halfHours([today], WHOLE);

  assert.equal(known.length, 21);
  assert.equal(known.at(-1)!.until, Date.parse("2026-03-02T10:10:00Z"));
});

test("days are those of the browser's zone, and nothing is lost between them", () => {
  const days = [day("2026-03-01"), day("2026-03-02"), day("2026-03-03")];
  days.forEach((one, i) => (one.peak_in_use = one.peak_in_use.map((_, half) => i * 48 + half)));
  const halves = halfHours(days, WHOLE);

  const merged = byDay(halves, days);

  merged.forEach(({ from, until, peak }) => {
    assert.equal(new Date(from).getHours(), 0);
    const within = halves.filter((half) => half.from >= from && half.from < until);
    assert.equal(peak, Math.max(...within.map((half) => half.peak)));
  });
  assert.equal(merged.at(-1)!.peak, 143);
});

test("a day of 23 or 25 hours is one day", () => {
  const days = ["2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "2026-10-26"].map((date) => day(date));

  const merged = byDay(halfHours(days, WHOLE), days);

  assert.deepEqual(
    merged.map(({ from }) => localDate(from)),
    [...new Set(halfHours(days, WHOLE).map(({ from }) => localDate(from)))],
  );
});

test("people refused on a day are those of that day, not a sum over half hours", () => {
  const one = day("2026-03-02", { people_denied: 3, denied_people: Array(48).fill(3) });

  const merged = byDay(halfHours([one], WHOLE), [one]);

  assert.equal(merged.find(({ from }) => localDate(from) === "2026-03-02")!.denied, 3);
});

test("the heat map has the mean of an hour's peaks over the weeks, by the browser's weekday and hour", () => {
  const at = (date: string, peak: number): Period => {
    const from = new Date(`${date}T09:00`).getTime();
    return { from, until: from + HOUR / 2, peak, demand: peak, seats: 20, fullSeconds: peak === 20 ? 60 : 0, denied: 0 };
  };

  const week = heatMap([at("2026-03-02", 10), at("2026-03-09", 20)]);

  assert.deepEqual(week[0]![9], { peak: 15, seats: 20, share: 0.75, weeks: 2, fullWeeks: 1 });
  assert.equal(week[1]![9], undefined);
});

test("two half hours of one hour count as one, with the higher peak", () => {
  const from = new Date("2026-03-02T09:00").getTime();
  const half = { demand: 0, seats: 20, fullSeconds: 0, denied: 0 };

  const week = heatMap([
    { from, until: from + HOUR / 2, peak: 4, ...half },
    { from: from + HOUR / 2, until: from + HOUR, peak: 8, ...half },
  ]);

  assert.equal(week[0]![9]!.peak, 8);
  assert.equal(week[0]![9]!.weeks, 1);
});

test("without a cap the heat map shows shares of the highest peak", () => {
  const from = new Date("2026-03-02T09:00").getTime();
  const half = { demand: 0, seats: null, fullSeconds: 0, denied: 0 };

  const week = heatMap([
    { from, until: from + HOUR / 2, peak: 4, ...half },
    { from: from + HOUR, until: from + 2 * HOUR, peak: 8, ...half },
  ]);

  assert.equal(week[0]![9]!.share, 0.5);
  assert.equal(week[0]![10]!.share, 1);
});

test("ranges end now and begin with a whole day or half hour", () => {
  const now = new Date("2026-03-05T10:17").getTime();

  assert.equal(spanOf("7d", now).from, new Date("2026-02-27T00:00").getTime());
  assert.equal(spanOf("12m", now).from, new Date("2025-03-05T00:00").getTime());
  assert.equal(now - spanOf("24h", now).from, 24 * HOUR + (now % (HOUR / 2)));
});

test("chosen days are whole ones, at most 399, and never in the future", () => {
  const now = new Date("2026-03-05T10:17").getTime();

  assert.deepEqual(customSpan("2026-03-01", "2026-03-02", now), {
    from: new Date("2026-03-01T00:00").getTime(),
    until: new Date("2026-03-03T00:00").getTime(),
  });
  assert.equal((customSpan("2026-03-01", "2026-03-09", now) as { until: number }).until, now);
  assert.match(customSpan("2026-03-02", "2026-03-01", now) as string, /after the last/);
  assert.match(customSpan("2026-03-09", "2026-03-10", now) as string, /future/);
  assert.match(customSpan("", "2026-03-10", now) as string, /Choose/);
  assert.match(customSpan("2020-03-01", "2026-03-01", now) as string, /at most 399/);
  const longest = customSpan(localDate(midnight(now, -398)), localDate(now), now);
  assert.ok(typeof longest !== "string" && datesOf(longest).length <= 400);
});

test("the days in UTC that are asked for cover the whole time", () => {
  const span = spanOf("7d", new Date("2026-03-05T10:17").getTime());

  const dates = datesOf(span);

  assert.ok(Date.parse(dates[0]!) <= span.from && Date.parse(dates.at(-1)!) + 24 * HOUR >= span.until);
  assert.equal(new Set(dates).size, dates.length);
});

test("what is known is not asked for again: only the days before, between and after it", () => {
  const known = new Set(["2026-03-02", "2026-03-05"]);
  const dates = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"];

  assert.deepEqual(gaps(dates, (date) => known.has(date)), [["2026-03-01"], ["2026-03-03", "2026-03-04"], ["2026-03-06"]]);
  assert.deepEqual(gaps(dates, () => true), []);
});

test("sums of time are in hours, however many", () => {
  assert.deepEqual([40, 300, 7_200, 12_000, 471_600].map(spent), ["40 s", "5 min", "2 h", "3 h 20 min", "131 h"]);
});
