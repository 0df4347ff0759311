/** Holds a seat until Ctrl-C, or until the right to it ends. It prints each change of the state. */

import { readFile } from "node:fs/promises";

import type { JSONWebKeySet } from "jose";

import { Proofs } from "./proof.js";
import { Seat } from "./seat.js";
import { Service } from "./service.js";

function given(name: string): string {
  const value = process.env[name]?.trim();
  if (value === undefined || value === "") {
    throw new Error(`Set ${name}.`);
  }
  return value;
}

async function main(): Promise<number> {
  const keys = JSON.parse(await readFile(given("SEATLEASE_KEYS"), "utf8")) as JSONWebKeySet;
  const idToken = given("SEATLEASE_ID_TOKEN"); // lasts an hour: your program asks Firebase's SDK for each
  const seat = new Seat({
    service: new Service(given("SEATLEASE_URL"), () => Promise.resolve(idToken)),
    proofs: new Proofs(keys),
    licenseKey: given("SEATLEASE_LICENSE_KEY"),
    hardwareId: given("SEATLEASE_HARDWARE_ID"),
    onChange: (state, because) => console.log(state, because?.message ?? ""),
    onWait: (because, seconds) => console.log("waiting", `${because.message} Next try in ${Math.ceil(seconds)} s.`),
  });
  let isInterrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      isInterrupted = true;
      void seat.release();
    });
  }
  try {
    await seat.acquire(Number(process.env.SEATLEASE_WAIT_SECONDS ?? 0));
    console.log("edition", seat.features.edition ?? "standard");
    const because = await seat.kept(); // here your program does its work, while the state is active or degraded
    if (because !== undefined) {
      throw because;
    }
  } catch (error) {
    if (!isInterrupted) {
      console.error(error instanceof Error ? error.message : String(error));
      return 1;
    }
  } finally {
    await seat.release();
  }
  return isInterrupted ? 130 : 0;
}

process.exitCode = await main();
