/** What a screen is: a title, what it asks the service for, and how it shows the answer. */

import type { User } from "@firebase/auth";
import type { TemplateResult } from "lit-html";

import type { components } from "./answers.js";
import type { Api, Timed } from "./api.js";

type Schemas = components["schemas"];

export type Usage = Schemas["UsageAnswer"];
export type License = Schemas["LicenseView"];
export type Session = Schemas["SessionView"];
export type Terms = Schemas["TermsView"];
export type Role = Usage["viewer"]["role"];

/** What a screen may do and know. `answer` is the latest of what `asks` names. */
export interface Page<A extends Timed = Usage> {
  readonly answer: A;
  /** The latest answer of `/v1/usage`, which the page always has. */
  readonly usage: Usage;
  readonly url: URL;
  /** By the service's clock. */
  readonly now: Date;
  readonly isAdmin: boolean;
  /** Call the service and show the outcome; then ask again for what is shown. False: it was refused, and is shown. */
  act(what: () => Promise<string>): Promise<boolean>;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Ask for a file, and let the browser keep it. */
  download(path: string, name: string): Promise<void>;
  copy(text: string, what: string): Promise<void>;
  /** Change the query of the address, so that the view can be shared. `null` removes a word. */
  choose(changes: Record<string, string | null>): void;
  redraw(): void;
}

export interface Screen<A extends Timed = Usage> {
  readonly title: string;
  /** The screen is for owners and admins only. */
  readonly isForAdmins: boolean;
  /** The path of the service whose answer is shown, for this address. null: the usage, which the page has anyway. */
  readonly asks: ((url: URL) => string) | null;
  readonly everySeconds: number;
  view(page: Page<A>): TemplateResult;
}

/** A visit to a page for people who may belong to no organization yet. */
export interface Visit {
  readonly api: Api;
  readonly user: User;
  readonly url: URL;
  redraw(): void;
}

export interface Door {
  readonly title: string;
  /** Begin what needs no click. */
  open?(visit: Visit): void;
  view(visit: Visit): TemplateResult;
}
