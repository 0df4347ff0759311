/** One seat: takes it, keeps it with heartbeats, and gives it back. */

import { randomBytes } from "node:crypto";
import { uptime } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import type { Expected, Proofs } from "./proof.js";
import {
  Refused,
  Unreachable,
  type Acquired,
  type Features,
  type Granted,
  type Kept,
  type Service,
} from "./service.js";

/** Work may go on while the state is `active` or `degraded`. */
export type State = "not_acquired" | "active" | "degraded" | "lost" | "revoked" | "released";

export interface Options {
  service: Service;
  proofs: Proofs;
  licenseKey: string;
  hardwareId: string;
  onChange?: (state: State, because: Error | undefined) => void;
  onWait?: (because: Error, seconds: number) => void;
}

/** Times are readings of `uptime()`: seconds since the machine started, sleep included. No user can set that clock. */
interface Lease {
  sessionId: string;
  licenseId: string;
  intervalSeconds: number;
  expiresAt: number;
  graceEndsAt: number;
  features: Features;
}

/** Timers stand still while a machine sleeps, so the clock is looked at often. */
const LOOK_AGAIN_SECONDS = 15;
const LONGEST_PAUSE_SECONDS = 60;

export class Seat {
  readonly #options: Options;
  /** Tells this process from others with the same user and device. Processes that share a seat send the same one. */
  readonly #instanceId = randomBytes(16).toString("base64url");
  readonly #closing = new AbortController();
  #lease: Lease | undefined;
  #over: State | undefined;
  #because: Error | undefined;
  #missed = 0;
  #dueAt = 0;
  #isRegaining = false;
  #told: State = "not_acquired";
  #acquiring: Promise<void> = Promise.resolve();
  #keeping: Promise<void> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
  }

  get state(): State {
    if (this.#over !== undefined) {
      return this.#over;
    }
    if (this.#lease === undefined) {
      return "not_acquired";
    }
    const now = uptime();
    if (now >= this.#lease.graceEndsAt) {
      return "lost";
    }
    return this.#missed > 0 || now >= this.#lease.expiresAt ? "degraded" : "active";
  }

  /** What was sold, as the latest answer says. The service has signed it. */
  get features(): Readonly<Features> {
    return this.#lease?.features ?? {};
  }

  /** Take a seat, waiting at most so long for one. Then heartbeats keep it in the background. Call it once. */
  async acquire(waitSeconds: number): Promise<void> {
    const acquiring = this.#acquireUntil(uptime() + waitSeconds);
    this.#acquiring = acquiring.catch(() => undefined);
    await acquiring;
    this.#keeping = this.#keep();
  }

  /** Wait until nothing keeps the seat any more, and say why: it was revoked, or lost for good. */
  async kept(): Promise<Error | undefined> {
    await this.#keeping;
    return this.#because;
  }

  /** Stop waiting or keeping, and give the seat back. If this gets no answer, the seat is free when its lease ends. */
  async release(): Promise<void> {
    this.#closing.abort();
    await this.#acquiring;
    await this.#keeping;
    if (this.#lease === undefined || this.#over !== undefined) {
      return;
    }
    const sessionId = this.#lease.sessionId;
    this.#end("released");
    await this.#options.service
      .release({ session_id: sessionId, instance_id: this.#instanceId })
      .catch(() => undefined);
  }

  async #acquireUntil(giveUpAt: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#take();
      } catch (error) {
        const because = asError(error);
        const left = giveUpAt - uptime();
        const wanted = pauseForSeat(because, attempt);
        if (wanted === undefined || left <= 0) {
          throw because;
        }
        const pause = Math.min(wanted, Math.max(left, 1)); // the last try comes at the end of the wait
        this.#options.onWait?.(because, pause);
        await sleep(pause * 1000, undefined, { signal: this.#closing.signal });
      }
    }
  }

  async #take(): Promise<void> {
    const { service, licenseKey, hardwareId } = this.#options;
    const [askedAt, nonce] = [uptime(), newNonce()];
    const body = { license_key: licenseKey, hardware_id: hardwareId, nonce, instance_id: this.#instanceId };
    const granted = await service.acquire(body);
    try {
      await this.#prove(granted, { nonce, licenseKey });
    } catch (error) {
      const unused = { session_id: granted.answer.session_id, instance_id: this.#instanceId };
      await service.release(unused).catch(() => undefined);
      throw error;
    }
    this.#hold(granted.answer, granted.answer.license_id, askedAt);
  }

  async #beat(lease: Lease): Promise<void> {
    const [askedAt, nonce] = [uptime(), newNonce()];
    const idle_seconds = null; // this program does not know for how long its user has done nothing
    const body = { session_id: lease.sessionId, nonce, instance_id: this.#instanceId, idle_seconds };
    const granted = await this.#options.service.heartbeat(body);
    await this.#prove(granted, { nonce, licenseId: lease.licenseId, sessionId: lease.sessionId });
    this.#hold(granted.answer, lease.licenseId, askedAt);
  }

  #prove(
    { answer, idToken }: Granted<Acquired | Kept>,
    expected: Omit<Expected, "idToken" | "hardwareId">,
  ): Promise<void> {
    return this.#options.proofs.prove(answer, { ...expected, idToken, hardwareId: this.#options.hardwareId });
  }

  /** The lease is counted from before the request was sent, and its length is a difference of the service's times. */
  #hold(answer: Acquired | Kept, licenseId: string, askedAt: number): void {
    const decidedAt = Date.parse(answer.server_time);
    const leaseSeconds = (Date.parse(answer.lease_expires_at) - decidedAt) / 1000;
    const intervalSeconds = Math.min(answer.heartbeat_interval_seconds, leaseSeconds / 3);
    this.#lease = {
      sessionId: answer.session_id,
      licenseId,
      intervalSeconds,
      expiresAt: askedAt + leaseSeconds,
      graceEndsAt: askedAt + (Date.parse(answer.grace_ends_at) - decidedAt) / 1000,
      features: answer.features,
    };
    this.#over = this.#because = undefined;
    this.#missed = 0;
    this.#isRegaining = false;
    this.#dueAt = askedAt + intervalSeconds * between(0.9, 1);
    this.#tell();
  }

  async #keep(): Promise<void> {
    while (!this.#closing.signal.aborted && this.#lease !== undefined && (this.#over === undefined || this.#isRegaining)) {
      this.#tell();
      const pause = Math.min(this.#dueAt - uptime(), LOOK_AGAIN_SECONDS);
      if (pause > 0) {
        await sleep(pause * 1000, undefined, { signal: this.#closing.signal }).catch(() => undefined);
        continue;
      }
      try {
        await (this.#isRegaining ? this.#take() : this.#beat(this.#lease));
      } catch (error) {
        this.#learnFrom(asError(error), this.#lease);
      }
    }
    this.#tell();
  }

  #learnFrom(because: Error, lease: Lease): void {
    switch (meaningOf(because)) {
      case "acquire again":
        this.#end("lost", because);
        this.#isRegaining = true;
        this.#dueAt = uptime();
        break;
      case "stop":
        this.#end(this.#isRegaining ? "lost" : "revoked", because);
        this.#isRegaining = false;
        break;
      case "full":
        this.#end("lost", because);
        this.#isRegaining = false;
        break;
      case "try again":
        this.#missed += 1;
        this.#because = because;
        this.#dueAt = uptime() + pauseForHeartbeat(because, this.#missed, lease.intervalSeconds);
        break;
    }
  }

  #end(state: State, because?: Error): void {
    this.#over = state;
    this.#because = because;
    this.#tell();
  }

  #tell(): void {
    if (this.state !== this.#told) {
      this.#told = this.state;
      this.#options.onChange?.(this.#told, this.#because);
    }
  }
}

/** What the answer to a heartbeat asks for. An unknown code goes by its status. */
function meaningOf(because: Error): "acquire again" | "stop" | "full" | "try again" {
  if (!(because instanceof Refused)) {
    return "try again";
  }
  switch (because.error.code) {
    case "SESSION_REVOKED":
      return "stop";
    case "LICENSE_MISCONFIGURED": // an admin has until the end of the lease and its grace to correct the document
      return "try again";
    case "SESSION_NOT_FOUND":
      return "acquire again";
  }
  switch (because.status) {
    case 403:
    case 404:
      return "stop";
    case 409:
      return "full";
    case 410:
      return "acquire again";
    default:
      return "try again";
  }
}

/** How long to wait before asking for a seat again; `undefined`: asking again does not help. */
function pauseForSeat(because: Error, attempt: number): number | undefined {
  const mayComeLater = because instanceof Unreachable || (because instanceof Refused && because.error.retryable);
  if (!mayComeLater) {
    return undefined;
  }
  if (because.retryAfter !== undefined) {
    return because.retryAfter * between(1, 1.25); // never sooner, and not all clients at once
  }
  return Math.min(LONGEST_PAUSE_SECONDS, 2 ** (attempt - 1)) * between(0.5, 1);
}

/** Never longer than an interval: so three tries fall within each lease. */
function pauseForHeartbeat(because: Error, missed: number, intervalSeconds: number): number {
  const asked = because instanceof Refused || because instanceof Unreachable ? (because.retryAfter ?? 0) : 0;
  const pause = Math.min(intervalSeconds, 2 ** (missed - 1)) * between(0, 1);
  return Math.max(pause, Math.min(intervalSeconds, asked));
}

function newNonce(): string {
  return randomBytes(16).toString("base64url");
}

function between(least: number, most: number): number {
  return least + Math.random() * (most - least);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
