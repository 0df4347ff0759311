/** Tests of the tables as CSV. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { csv } from "../src/csv.js";

test("no text begins a cell with a formula, whichever sign separates cells", () => {
  const texts = ["=1+1", "\uff1d1+1", "x;=cmd|'/C calc'!A0;", "x;@a;-1", "Linux; x86_64 (a=b)"];

  assert.deepEqual(csv(texts.map((each) => [each])).split("\r\n"), [
    "'=1+1",
    "'\uff1d1+1",
    "x;'=cmd|'/C calc'!A0;",
    "x;'@a;'-1",
    "Linux; x86_64 (a=b)",
    "",
  ]);
});
