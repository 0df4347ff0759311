/** What a screen asks for itself, once for what its address names. The answer before it stays until the new one comes. */

import { Refused, Unreachable } from "./api.js";

const TRY_AGAIN_AFTER_MS = 60_000;

export class Latest<T> {
  value: T | null = null;
  /** What went wrong with the latest question. */
  problem: string | null = null;
  isBusy = false;
  #key: string | null = null;
  #answeredAt = 0;
  readonly #freshMs: number;

  constructor(freshSeconds: number) {
    this.#freshMs = freshSeconds * 1000;
  }

  /** Ask, unless the same is under way or was answered a moment ago. Call it whenever the screen is drawn. */
  want(key: string, ask: () => Promise<T>, redraw: () => void): void {
    const age = performance.now() - this.#answeredAt;
    const isFresh = age < (this.problem === null ? this.#freshMs : TRY_AGAIN_AFTER_MS);
    if (key === this.#key && (this.isBusy || isFresh)) return;
    // What another address named is no answer to this one.
    if (key !== this.#key) this.problem = null;
    this.#key = key;
    this.isBusy = true;
    void this.#ask(key, ask).then(redraw);
  }

  async #ask(key: string, ask: () => Promise<T>): Promise<void> {
    let value: T | null = null;
    let problem: string | null = null;
    try {
      value = await ask();
    } catch (error) {
      if (error instanceof Refused) problem = error.message;
      else if (error instanceof Unreachable) problem = `${error.message} Check the connection, or wait a minute.`;
      else problem = "The answer cannot be read. Load the page anew; it may be an old one.";
    }
    // Another question was asked meanwhile.
    if (key !== this.#key) return;
    this.value = value ?? this.value;
    this.problem = problem;
    this.isBusy = false;
    this.#answeredAt = performance.now();
  }

  again(): void {
    this.#answeredAt = -Infinity;
  }
}
