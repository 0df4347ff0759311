/** Times as people read them: in the zone of this computer, and counted by the service's clock. */

import { html, type TemplateResult } from "lit-html";

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const clock = (at: Date): string => CLOCK.format(at);
export const day = (at: Date): string => DAY.format(at);

/** 40 s, 5 min, 3 h 20 min, 4 days. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return days === 1 ? "1 day" : `${days} days`;
}

/** A text for a time, with the whole time for programs and for the pointer. */
export function time(at: string | Date, text: string): TemplateResult {
  const date = new Date(at);
  return html`<time datetime=${date.toISOString()} title=${WHOLE.format(date)}>${text}</time>`;
}

export function ago(at: string, now: Date): TemplateResult {
  return time(at, `${duration((now.getTime() - Date.parse(at)) / 1000)} ago`);
}

/** "in 5 min", or "now" when it has come. */
export function ahead(at: string, now: Date): TemplateResult {
  const seconds = (Date.parse(at) - now.getTime()) / 1000;
  return time(at, seconds <= 0 ? "now" : `in ${duration(seconds)}`);
}

/** The day, and the clock if it is less than a week away. */
export function when(at: string, now: Date): TemplateResult {
  const date = new Date(at);
  const isNear = Math.abs(date.getTime() - now.getTime()) < 7 * 86_400_000;
  const isToday = day(date) === day(now);
  return time(at, isToday ? clock(date) : isNear ? `${day(date)}, ${clock(date)}` : day(date));
}
