/** Proves that the service granted a lease, to this request, for this license, user and device. */

import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from "jose";

import type { Kept } from "./service.js";

/** The answer is another server's, a recording, or for something else. It counts as no answer. */
export class NotProven extends Error {}

/** What the token must be for. Leave out the license's key on a heartbeat: an admin may change it. */
export interface Expected {
  nonce: string;
  hardwareId: string;
  idToken: string;
  licenseKey?: string;
  licenseId?: string;
  sessionId?: string;
}

export class Proofs {
  readonly #keyOf: ReturnType<typeof createLocalJWKSet>;

  /** `keys` is what `GET /v1/keys` answers. Ship it with the program: keys fetched at run time prove nothing. */
  constructor(keys: JSONWebKeySet) {
    this.#keyOf = createLocalJWKSet(keys);
  }

  /** The times are compared with the answer's `server_time`, so this machine's clock plays no part. */
  async prove(answer: Kept, expected: Expected): Promise<void> {
    const { payload } = await jwtVerify(answer.lease_token, this.#keyOf, {
      algorithms: ["EdDSA"],
      typ: "seatlease-lease+jwt",
      currentDate: new Date(answer.server_time),
      requiredClaims: ["exp", "iat", "lease_expires_at"],
    }).catch(() => {
      throw new NotProven("The lease was not signed by the license service.");
    });
    const wanted: Record<string, unknown> = {
      sub: decodeJwt(expected.idToken).sub,
      nonce: expected.nonce,
      hardware_sha256: sha256(expected.hardwareId),
      session_id: expected.sessionId ?? answer.session_id,
      iat: seconds(answer.server_time),
      lease_expires_at: seconds(answer.lease_expires_at),
      exp: seconds(answer.grace_ends_at),
      license_expires_at: answer.license_expires_at === null ? null : seconds(answer.license_expires_at),
      features: answer.features,
      ...(expected.licenseKey === undefined ? {} : { license_key_sha256: sha256(normalKey(expected.licenseKey)) }),
      ...(expected.licenseId === undefined ? {} : { license_id: expected.licenseId }),
    };
    for (const [claim, value] of Object.entries(wanted)) {
      if (!isDeepStrictEqual(payload[claim], value)) {
        throw new NotProven(`The lease is for another request: its ${claim} differs.`);
      }
    }
  }
}

/** A generated key is read aloud and typed in. Case, blanks, hyphens and letters that look alike do not matter for it. */
export function normalKey(typed: string): string {
  const letters = typed
    .replace(/[\s\u2010-\u2015\u2212-]+/g, "")
    .toUpperCase()
    .replace(/[IL]/g, "1")
    .replace(/O/g, "0")
    .replace(/U/g, "V");
  return /^[0-9A-HJKMNP-TV-Z]{25}$/.test(letters) ? (letters.match(/.{5}/g) ?? []).join("-") : typed.trim();
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** The token's times are whole seconds, rounded down. */
function seconds(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}
