/** Audit events in plain words. Pure. An event of a type that the page does not know shows the type's name. */

import type { components } from "./answers.js";
import { count, spent } from "./figures.js";

export type AuditEvent = components["schemas"]["EventView"];

/** What the words need of the page: names for ids, and times as people read them. */
export interface Say {
  person(userId: string): string;
  license(licenseId: string): string;
  time(at: string): string;
}

/** The fields of `details` differ from type to type. A field that is missing reads as null. */
export type Details = Readonly<Record<string, unknown>>;

interface Words {
  what: string;
  result(details: Details, say: Say, event: AuditEvent): string;
}

const REASONS: Readonly<Record<string, string>> = {
  released: "",
  released_elsewhere: "given back from another device",
  expired: "the program was not heard of again",
  revoked_by_admin: "an owner, an admin or the vendor took it away",
  user_deactivated: "the person was deactivated",
  license_deactivated: "the license was deactivated",
  license_expired: "the license's contract ended",
  organization_deactivated: "the organization was deactivated",
  document_removed: "what it belonged to was deleted",
  idle: "the person was idle",
  silent: "the program stopped asking",
  left: "left the line",
  time_over: "the time to wait was over",
};

/** Stands for a value that an event does not show. */
const HIDDEN = "…";

const reason = (details: Details) => REASONS[text(details["reason"])] ?? text(details["reason"]);

const ended: Words["result"] = (details, say, { at }) =>
  sentences(
    reason(details),
    details["started_at"] ? `held for ${between(details["started_at"], at)}` : "",
    details["kept_out_until"] ? `kept out until ${say.time(text(details["kept_out_until"]))}` : "",
    details["overhang_until"] ? `the device may work on until ${say.time(text(details["overhang_until"]))}` : "",
  );

const edited: Words["result"] = (details, say) => {
  const changes = list(details["changes"]).map((change) => {
    const [field, before, after] = [text(change["field"]), fromJson(change["before"], say), fromJson(change["after"], say)];
    if (before === HIDDEN || after === HIDDEN) return `${field} (not shown)`;
    if (details["edit"] === "created") return after === "" ? "" : `${field}: ${after}`;
    return `${field}: ${before || "nothing"} → ${after || "nothing"}`;
  });
  if (details["edit"] === "deleted") return "deleted";
  return sentences(details["edit"] === "changed" ? "" : text(details["edit"]), ...changes) || plain(details);
};

/** Every type of event that the service reports. */
export const WORDS: Readonly<Record<string, Words>> = {
  "session.acquired": {
    what: "Took a seat",
    result: (details) =>
      sentences(
        seats(details["seats"]),
        details["is_overdraft"] === true ? "above the license's own number" : "",
        details["waited_seconds"] ? `after ${spent(Number(details["waited_seconds"]))} in the line` : "",
      ),
  },
  "session.renewed": {
    what: "Another program works on the seat",
    result: (details) => sentences(`${count(Number(details["instances"]), "program")} on this seat`, text(details["ip_address"])),
  },
  "session.borrowed": { what: "Borrowed the seat", result: (details, say) => `until ${say.time(text(details["borrowed_until"]))}` },
  "session.queued": { what: "Waits for a seat", result: (details) => `place ${text(details["position"])} in the line` },
  "session.gave_up": {
    what: "Waits no more, without a seat",
    result: (details) => sentences(reason(details), `waited for ${spent(Number(details["waited_seconds"]))}`),
  },
  "session.denied": {
    what: "Was refused a seat",
    result: (details) =>
      sentences(
        details["limit"] === "organization" ? `${seats(details["organization_seats"])} of the organization` : seats(details["seats"]),
        details["for_waiting"] ? `${text(details["for_waiting"])} free for people in the line` : "",
        count(Number(details["attempts"]), "attempt"),
      ),
  },
  "session.released": { what: "Gave the seat back", result: ended },
  "session.expired": { what: "The lease ran out", result: ended },
  "session.revoked": { what: "The seat was taken away", result: ended },
  "usage.repaired": {
    what: "The counters were put right",
    result: (details, say) =>
      list(details["after"])
        .map((license) => `${say.license(text(license["license_id"]))}: ${text(license["in_use"])} in use`)
        .join("; "),
  },
  "license.expiring": {
    what: "The license's contract ends soon",
    result: (details, say) => `at ${say.time(text(details["expires_at"]))}`,
  },
  "organization.edited": { what: "The organization was edited", result: edited },
  "user.edited": { what: "A person was edited", result: edited },
  "license.edited": { what: "The license was edited", result: edited },
  "user.invited": {
    what: "Invited a person",
    result: (details, say) =>
      details["edit"] === "deleted"
        ? "taken back"
        : sentences(
            details["edit"] === "changed" ? "renewed" : "",
            `as ${text(details["role"])}`,
            `open until ${say.time(text(details["expires_at"]))}`,
          ),
  },
  "user.joined": {
    what: "Joined the organization",
    result: (details, say) =>
      sentences(
        `as ${text(details["role"])}`,
        details["invited_by"] ? `invited by ${say.person(text(details["invited_by"]))}` : "",
        text(details["provider"] ?? details["domain"]),
      ),
  },
  "user.belongs_elsewhere": { what: "Belongs to another organization, and gets no seat here", result: () => "" },
  "user.signed_in_on_device": {
    what: "Signed in on a device",
    result: (details) => sentences(text(details["device_name"]), text(details["ip_address"])),
  },
};

export interface Told {
  what: string;
  /** Whom it is about, and another one who did it. */
  person: string;
  by: string;
  on: string;
  result: string;
}

export function tell(event: AuditEvent, say: Say): Told {
  const words = WORDS[event.type];
  const about = event.user_id ?? event.actor;
  return {
    what: words?.what ?? event.type,
    person: about === null ? "" : actor(about, say),
    by: event.actor === null || event.actor === about ? "" : actor(event.actor, say),
    on: sentences(event.license_id === null ? "" : say.license(event.license_id), event.hardware_id ?? ""),
    result: words?.result(event.details, say, event) ?? plain(event.details),
  };
}

function actor(name: string, say: Say): string {
  if (name === "system") return "the service";
  if (name === "console") return "the vendor, by hand";
  if (name === "erased") return "erased person";
  return say.person(name);
}

function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The values of an edit are JSON texts, and times are maps. A text that was cut off is no JSON. */
function fromJson(value: unknown, say: Say): string {
  let read: unknown;
  try {
    read = JSON.parse(text(value));
  } catch {
    return text(value);
  }
  const at = typeof read === "object" && read !== null ? (read as Details)["timestamp"] : undefined;
  return typeof at === "string" ? say.time(at) : text(read);
}

function list(value: unknown): Details[] {
  return Array.isArray(value) ? (value as Details[]) : [];
}

/** Names and values, for what has no words of its own. */
function plain(details: Details): string {
  return sentences(...Object.entries(details).map(([name, value]) => (text(value) === "" ? "" : `${name}: ${text(value)}`)));
}

function sentences(...parts: string[]): string {
  return parts.filter((part) => part !== "").join(", ");
}

function seats(value: unknown): string {
  const { in_use, max } = (value ?? {}) as Details;
  return max === null || max === undefined ? `${text(in_use)} seats in use` : `${text(in_use)} of ${text(max)} seats in use`;
}

function between(start: unknown, end: string): string {
  return spent((Date.parse(end) - Date.parse(text(start))) / 1000);
}
