/** Calls of the service, and answers that are asked for again while a person looks at them. */

import type { User } from "@firebase/auth";

/** The service said no. `code` is one of its catalogue; the message can be shown. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** No answer of the service came: no network, or an outage. */
export class Unreachable extends Error {}

const ANSWER_WITHIN_MS = 20_000;

interface ErrorBody {
  error?: { code?: string; message?: string };
}

export class Api {
  readonly #user: User;

  constructor(user: User) {
    this.#user = user;
  }

  /** Call the service, and give its answer. A text that begins an answer of another kind is a `Response` as well. */
  async ask(method: string, path: string, more: { body?: unknown; headers?: Record<string, string> } = {}): Promise<Response> {
    let answer: Response;
    try {
      const headers: Record<string, string> = { Authorization: `Bearer ${await this.#user.getIdToken()}`, ...more.headers };
      if (more.body !== undefined) headers["Content-Type"] = "application/json";
      answer = await fetch(path, {
        method,
        headers,
        body: more.body === undefined ? null : JSON.stringify(more.body),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
    } catch (error) {
      if (isSignedOut(error)) throw new Refused(401, "SIGNED_OUT", "You were signed out. Sign in again.");
      throw new Unreachable("No connection.");
    }
    if (answer.ok || answer.status === 304) return answer;
    const { error } = (await answer.json().catch(() => ({}))) as ErrorBody;
    const code = error?.code ?? "";
    if (code === "" || answer.status >= 500) throw new Unreachable(error?.message ?? "The service does not answer.");
    throw new Refused(answer.status, code, error?.message ?? code);
  }

  /** Call the service, and give the JSON of its answer; `null` if it has none. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.ask(method, path, body === undefined ? {} : { body });
    return (answer.status === 204 ? null : await answer.json()) as T;
  }
}

/** Firebase refuses a new ID token for good: the account is gone, deactivated, or was signed out everywhere. */
function isSignedOut(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code.startsWith("auth/") && code !== "auth/network-request-failed" && code !== "auth/internal-error";
}

/** Every answer says when it was given, by the database's clock. */
export interface Timed {
  server_time: string;
}

const IDLE_AFTER_MS = 600_000;
const IDLE_EVERY_MS = 60_000;
const MOST_BACKOFF_MS = 120_000;

let lastSign = performance.now();
for (const kind of ["pointerdown", "keydown"]) {
  addEventListener(kind, () => (lastSign = performance.now()), { capture: true, passive: true });
}

/**
 * One answer, asked for again and again while a person looks: often, rarely after ten idle minutes, not at all while the
 * page is hidden. After a failure it waits longer each time, and keeps the last answer with its age.
 */
export class Feed<T extends Timed> {
  answer: T | null = null;
  problem: Refused | Unreachable | null = null;
  readonly path: string;
  readonly #api: Api;
  readonly #everyMs: number;
  readonly #changed: () => void;
  #etag: string | null = null;
  #receivedAt = 0;
  #confirmedAt = 0;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | null = null;
  #isClosed = false;

  constructor(api: Api, path: string, everySeconds: number, changed: () => void) {
    this.path = path;
    this.#api = api;
    this.#everyMs = everySeconds * 1000;
    this.#changed = changed;
    document.addEventListener("visibilitychange", this.#seen);
    addEventListener("focus", this.#seen);
    addEventListener("online", this.#seen);
    void this.refresh();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#seen);
    removeEventListener("focus", this.#seen);
    removeEventListener("online", this.#seen);
  }

  /** The time by the service's clock. The clock of this computer may be wrong. */
  get now(): Date {
    if (this.answer === null) return new Date();
    return new Date(Date.parse(this.answer.server_time) + performance.now() - this.#receivedAt);
  }

  /** How long ago the service last said that this is so. */
  get ageSeconds(): number {
    return (performance.now() - this.#confirmedAt) / 1000;
  }

  /** Ask now. What was asked before an action is not enough for it: ask again behind it. */
  async refresh(): Promise<void> {
    await this.#running;
    clearTimeout(this.#timer);
    this.#running = this.#ask();
    await this.#running;
    this.#running = null;
    if (this.#isClosed) return;
    this.#changed();
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => void this.refresh(), this.#pause());
  }

  async #ask(): Promise<void> {
    try {
      const response = await this.#api.ask("GET", this.path, this.#etag === null ? {} : { headers: { "If-None-Match": this.#etag } });
      if (response.status !== 304) {
        this.answer = (await response.json()) as T;
        this.#etag = response.headers.get("ETag");
        this.#receivedAt = performance.now();
      }
      this.#confirmedAt = performance.now();
      this.problem = null;
      this.#failures = 0;
    } catch (error) {
      this.problem = error instanceof Refused ? error : error instanceof Unreachable ? error : new Unreachable("The answer cannot be read.");
      this.#failures += 1;
    }
  }

  #pause(): number {
    const isIdle = performance.now() - lastSign > IDLE_AFTER_MS;
    const usual = Math.max(this.#everyMs, isIdle ? IDLE_EVERY_MS : 0);
    const pause = this.#failures === 0 ? usual : Math.max(usual, Math.min(usual * 2 ** (this.#failures - 1), MOST_BACKOFF_MS));
    return pause * (0.9 + 0.2 * Math.random());
  }

  readonly #seen = (): void => {
    if (document.hidden) clearTimeout(this.#timer);
    else if (this.#running === null && this.ageSeconds > 2) void this.refresh();
  };
}
