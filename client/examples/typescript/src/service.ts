/** The calls to the service, and its answers as types. The types of `api.ts` come from its OpenAPI document. */

import type { components, operations } from "./api.js";

type Call = "acquire" | "heartbeat" | "release";
type Body<C extends Call> = operations[C]["requestBody"]["content"]["application/json"];
type MayBeNull<T> = { [K in keyof T]: null extends T[K] ? K : never }[keyof T];
/** A field that may be null may be left out. So an older service, which does not know it, takes the request too. */
type Sent<C extends Call> = Omit<Body<C>, MayBeNull<Body<C>>> & Partial<Pick<Body<C>, MayBeNull<Body<C>>>>;
type Json<R> = R extends { content: { "application/json": infer Body } } ? Body : never;
type Answer<C extends Call> = C extends Call ? Json<operations[C]["responses"][keyof operations[C]["responses"]]> : never;

type ErrorAnswer = Extract<Answer<Call>, { error: unknown }>;
/** An error of the service. Its `code` says which `details` it has. */
export type ServiceError = ErrorAnswer["error"];
export type Acquired = components["schemas"]["AcquireAnswer"];
export type Kept = components["schemas"]["HeartbeatAnswer"];
/** What the vendor sold, in names and values of the vendor's own. */
export type Features = Kept["features"];

/** The service refused. `retryAfter` is in seconds. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly error: ServiceError,
    readonly retryAfter: number | undefined,
  ) {
    super(error.message);
  }
}

/** There was no answer of the service: no network, an outage, or something else answered. Asking again is safe. */
export class Unreachable extends Error {
  constructor(
    message: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Gives an ID token of Firebase. With `refresh`, a new one. */
export type IdToken = (refresh: boolean) => Promise<string>;

/** An answer of the service, and the ID token that it was asked with. */
export interface Granted<T> {
  answer: T;
  idToken: string;
}

/** The service answers within 8 s. The rest is for the way there and back. */
const ANSWER_WITHIN_MS = 10_000;

export class Service {
  readonly #base: string;
  readonly #idToken: IdToken;

  constructor(url: string, idToken: IdToken) {
    const { protocol, hostname } = new URL(url);
    const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
    if (protocol !== "https:" && !(protocol === "http:" && isHere)) {
      throw new Error("The address must begin with https://, or name this machine: tokens are not sent in clear.");
    }
    this.#base = url.replace(/\/+$/, "");
    this.#idToken = idToken;
  }

  async acquire(body: Sent<"acquire">): Promise<Granted<Acquired>> {
    return this.#granted(await this.#ask("acquire", body), isAcquired);
  }

  async heartbeat(body: Sent<"heartbeat">): Promise<Granted<Kept>> {
    return this.#granted(await this.#ask("heartbeat", body), isKept);
  }

  async release(body: Sent<"release">): Promise<void> {
    const { response } = await this.#ask("release", body);
    if (response.status !== 204) {
      throw await refusalOf(response);
    }
  }

  async #granted<T>(asked: Asked, isExpected: (body: unknown) => body is T): Promise<Granted<T>> {
    if (!asked.response.ok) {
      throw await refusalOf(asked.response);
    }
    const answer = await bodyOf(asked.response);
    if (!isExpected(answer)) {
      throw new Unreachable("Something else answered instead of the license service.");
    }
    return { answer, idToken: asked.idToken };
  }

  /** Ask once, and once more with a new ID token if the service does not take the first one. */
  async #ask<C extends Call>(call: C, body: Sent<C>): Promise<Asked> {
    const first = await this.#send(call, body, await this.#idToken(false));
    if (!(await wantsNewToken(first.response.clone()))) {
      return first;
    }
    return this.#send(call, body, await this.#idToken(true));
  }

  async #send<C extends Call>(call: C, body: Sent<C>, idToken: string): Promise<Asked> {
    try {
      const response = await fetch(`${this.#base}/v1/${call}`, {
        method: "POST",
        headers: { Authorization: `Bearer ${idToken}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
        redirect: "error",
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      return { response, idToken };
    } catch {
      throw new Unreachable("The license service cannot be reached.");
    }
  }
}

interface Asked {
  response: Response;
  idToken: string;
}

/** An admin may have added the user to the organization since the token was issued. */
async function wantsNewToken(response: Response): Promise<boolean> {
  if (response.status === 403) {
    const refusal = await refusalOf(response);
    return refusal instanceof Refused && refusal.error.code === "NO_ORGANIZATION";
  }
  return response.status === 401;
}

async function refusalOf(response: Response): Promise<Refused | Unreachable> {
  const told = response.headers.get("Retry-After") ?? "";
  const retryAfter = /^\d{1,6}$/.test(told) ? Number(told) : undefined;
  const body = await bodyOf(response).catch(() => undefined);
  if (!isErrorAnswer(body)) {
    return new Unreachable("Something else answered instead of the license service.", retryAfter);
  }
  return new Refused(response.status, body.error, retryAfter);
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    throw new Unreachable("Something else answered instead of the license service.");
  }
}

// What comes from the network is unknown until it was looked at. These look at the fields that this program uses.

function isErrorAnswer(body: unknown): body is ErrorAnswer {
  return isObject(body) && isObject(body.error) && areTexts(body.error, "code", "message", "request_id");
}

function isKept(body: unknown): body is Kept {
  return (
    isObject(body) &&
    areTexts(body, "session_id", "lease_token") &&
    ["lease_expires_at", "grace_ends_at", "server_time"].every((name) => !Number.isNaN(Date.parse(String(body[name])))) &&
    typeof body.heartbeat_interval_seconds === "number" &&
    isObject(body.features) &&
    (body.license_expires_at === null || !Number.isNaN(Date.parse(String(body.license_expires_at))))
  );
}

function isAcquired(body: unknown): body is Acquired {
  return isKept(body) && "license_id" in body && typeof body.license_id === "string";
}

function areTexts(body: Record<string, unknown>, ...names: string[]): boolean {
  return names.every((name) => typeof body[name] === "string");
}

function isObject(body: unknown): body is Record<string, unknown> {
  return typeof body === "object" && body !== null;
}
