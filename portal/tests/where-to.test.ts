/** Tests of where a person goes after signing in. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { whereTo } from "../src/where-to.js";

const after = (next: string): string => whereTo(new URL(`https://seats.example/sign-in?next=${encodeURIComponent(next)}`));

test("a person goes to the page of ours that sent them", () => {
  assert.equal(after("/cli?sign_in=a"), "https://seats.example/cli?sign_in=a");
  assert.equal(whereTo(new URL("https://seats.example/sign-in")), "https://seats.example/");
});

test("nothing else is gone to", () => {
  const elsewhere = [
    "https://evil.example/",
    "//evil.example",
    "/\\\\evil.example",
    "\\\\evil.example",
    "http://seats.example/",
    "https://seats.example@evil.example/",
    "https://seats.example.evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "blob:https://seats.example/1",
    "http://[",
    "/sign-in?next=/",
  ];

  assert.deepEqual(elsewhere.map(after), elsewhere.map(() => "/"));
});
