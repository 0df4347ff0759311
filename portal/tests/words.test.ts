/** Tests of the words for audit events. The schema of the service's events says which types and examples there are. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { type AuditEvent, tell, WORDS } from "../src/words.js";

const SAY = { person: (id: string) => `<${id}>`, license: (id: string) => `"${id}"`, time: (at: string) => at };

const event = (type: string, details: object, more: Partial<AuditEvent> = {}): AuditEvent => ({
  event_id: "e",
  at: "2026-03-02T11:14:07Z",
  type,
  actor: "ada",
  license_id: "license-1",
  session_id: "s",
  user_id: "ada",
  hardware_id: "adas-laptop",
  details: details as AuditEvent["details"],
  ...more,
});

test("every type of event has words", () => {
  const schema = JSON.parse(readFileSync("../infra/contracts/audit-event.schema.json", "utf8"));
  const types = Object.values<any>(schema.$defs).flatMap((model) => model.properties?.type?.const ?? []);

  assert.ok(types.length >= 14);
  assert.deepEqual(types.filter((type) => WORDS[type] === undefined), []);
});

test("a grant says how many seats were in use then, and a refusal which cap was reached", () => {
  const granted = tell(event("session.acquired", { seats: { in_use: 3, max: 3 }, is_overdraft: false, waited_seconds: 180 }), SAY);
  const refused = tell(
    event("session.denied", { limit: "license", attempts: 3, seats: { in_use: 3, max: 3 }, organization_seats: { in_use: 5, max: 9 } }),
    SAY,
  );

  assert.deepEqual(granted, {
    what: "Took a seat",
    person: "<ada>",
    by: "",
    on: '"license-1", adas-laptop',
    result: "3 of 3 seats in use, after 3 min in the line",
  });
  assert.equal(refused.result, "3 of 3 seats in use, 3 attempts");
});

test("what another person or the service did names both", () => {
  const details = { reason: "revoked_by_admin", started_at: "2026-03-02T09:14:07Z", kept_out_until: "2026-03-02T12:14:07Z" };

  const revoked = tell(event("session.revoked", details, { actor: "olivia" }), SAY);
  const expired = tell(event("session.expired", { reason: "expired", started_at: "2026-03-02T11:10:07Z" }, { actor: "system" }), SAY);

  assert.equal(revoked.by, "<olivia>");
  assert.equal(
    revoked.result,
    "an owner, an admin or the vendor took it away, held for 2 h, kept out until 2026-03-02T12:14:07Z",
  );
  assert.equal(expired.by, "the service");
});

test("an edit names each field that changed", () => {
  const changes = [
    { field: "max_seats", before: "20", after: "23" },
    { field: "name", before: null, after: '"Studio"' },
    { field: "email", before: '"…"', after: '"…"' },
  ];
  const details = { edit: "changed", changes };

  const told = tell(event("license.edited", details, { actor: "console", user_id: null, hardware_id: null }), SAY);

  assert.equal(told.person, "the vendor, by hand");
  assert.equal(told.result, "max_seats: 20 → 23, name: nothing → Studio, email (not shown)");
});

test("what is new shows its values, and times as times", () => {
  const changes = [
    { field: "created_at", before: null, after: '{"timestamp": "2026-03-02T11:14:07+00:00"}' },
    { field: "expires_at", before: null, after: "null" },
    { field: "max_seats", before: null, after: "3" },
  ];

  const told = tell(event("license.edited", { edit: "created", changes }), SAY);

  assert.equal(told.result, "created, created_at: 2026-03-02T11:14:07+00:00, max_seats: 3");
});

test("an event of a type that the page does not know shows the type's name and its details", () => {
  const told = tell(event("session.teleported", { to: "Mars", at_speed: null }), SAY);

  assert.equal(told.what, "session.teleported");
  assert.equal(told.result, "to: Mars");
});

test("details without the fields that are usual make no error", () => {
  for (const type of Object.keys(WORDS)) assert.equal(typeof tell(event(type, {}), SAY).result, "string");
});
