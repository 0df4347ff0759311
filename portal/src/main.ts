/** The page: which screen the address names, what it asks for, and when it is drawn. */

import { onIdTokenChanged, signOut, type User } from "@firebase/auth";
import { html, render, type TemplateResult } from "lit-html";

import { Api, Feed, Refused, Unreachable, type Timed } from "./api.js";
import { doorFrame, frame, message, type Notice } from "./frame.js";
import { session } from "./session.js";
import type { Door, Page, Screen, Usage, Visit } from "./screen.js";
import { screen as now } from "./screens/now.js";

type AnyScreen = Screen<Timed & Usage>;

const SCREENS: Readonly<Record<string, () => Promise<{ screen: unknown }>>> = {
  "/": () => Promise.resolve({ screen: now }),
  "/history": () => import("./screens/history.js"),
  "/people": () => import("./screens/people.js"),
  "/license": () => import("./screens/license.js"),
  "/activity": () => import("./screens/activity.js"),
};

/** Screens for people who may belong to no organization yet. */
const DOORS: Readonly<Record<string, () => Promise<{ door: Door }>>> = {
  "/join": () => import("./screens/join.js"),
  "/cli": () => import("./screens/cli.js"),
};

/** What every screen needs: the organization's name, the warnings, and the role of the person who looks. */
const USAGE = "/v1/usage?view=now&page_size=500";
const NOTICE_FOR_MS = 15_000;

const place = document.querySelector<HTMLElement>("#page")!;
const auth = await session();

function toSignIn(): void {
  const { pathname, search } = location;
  const next = pathname + search;
  location.replace(next === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(next)}`);
}

let isLeaving = false;

/** Sign out. Whoever signs in next begins where everybody does. */
async function leave(): Promise<void> {
  isLeaving = true;
  await signOut(auth);
  location.replace("/sign-in");
}

/** The service takes no token of this person any more: after a new sign-in they go on where they were. */
async function signInAgain(): Promise<void> {
  await signOut(auth);
  toSignIn();
}

async function open(user: User): Promise<void> {
  // Another tab signed out, or signed in as another account.
  onIdTokenChanged(auth, (current) => {
    if (!isLeaving && current?.uid !== user.uid) location.reload();
  });
  const api = new Api(user);
  const door = DOORS[location.pathname];
  if (door !== undefined) {
    const { door: opened } = await door();
    opened.open?.(enter(opened, { api, user, url: new URL(location.href) }));
    return;
  }
  const { claims } = await user.getIdTokenResult();
  if (typeof claims["org_id"] === "string") new Portal(api, user).start();
  else enter((await import("./screens/join.js")).door, { api, user, url: new URL("/join", location.origin) });
}

/** Show a screen for people who may belong to no organization yet. */
function enter(door: Door, at: Omit<Visit, "redraw">): Visit {
  const visit: Visit = {
    ...at,
    redraw: () => {
      render(doorFrame(at.user.email, door.view(visit), leave), place);
    },
  };
  document.title = door.title;
  visit.redraw();
  return visit;
}

const looksAfterOthers = ({ viewer }: Usage): boolean => viewer.role === "owner" || viewer.role === "admin";

class Portal {
  readonly #api: Api;
  readonly #user: User;
  #usage: Feed<Usage>;
  #own: Feed<Timed> | null = null;
  #screen: AnyScreen | null = null;
  #url = new URL(location.href);
  #notice: Notice | null = null;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, user: User) {
    this.#api = api;
    this.#user = user;
    this.#usage = new Feed<Usage>(api, USAGE, 15, () => this.#draw());
  }

  start(): void {
    addEventListener("popstate", () => void this.#follow());
    document.addEventListener("click", this.#clicked);
    // What counts by the clock moves on without a new answer: every "since", and the age of what is shown.
    setInterval(() => {
      if (!document.hidden) this.#draw();
    }, 1000);
    void this.#follow();
  }

  readonly #clicked = (event: MouseEvent): void => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (link === null || !isPlain || event.defaultPrevented || link.target !== "" || link.hasAttribute("download")) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || SCREENS[url.pathname] === undefined) return;
    event.preventDefault();
    history.pushState(null, "", url);
    void this.#follow().then(() => document.querySelector<HTMLElement>("h1")?.focus());
  };

  /** Show what the address names. */
  async #follow(): Promise<void> {
    const url = new URL(location.href);
    const isNew = this.#screen === null || url.pathname !== this.#url.pathname;
    this.#url = url;
    if (isNew) {
      const load = SCREENS[url.pathname] ?? SCREENS["/"]!;
      const { screen } = (await load()) as { screen: AnyScreen };
      if (url !== this.#url) return;
      this.#screen = screen;
      this.#notice = null;
      document.title = `${screen.title} · Seats`;
    }
    this.#ask();
    this.#draw();
  }

  /** Ask for what the screen shows at this address, unless that is asked for already. */
  #ask(): void {
    const asked = this.#screen?.asks?.(this.#url) ?? null;
    const path = asked === USAGE ? null : asked;
    if (this.#own?.path === path) return;
    this.#own?.close();
    this.#own = null;
    if (path !== null && this.#screen !== null) {
      this.#own = new Feed<Timed>(this.#api, path, this.#screen.everySeconds, () => this.#draw());
    }
  }

  #draw(): void {
    const feed = this.#own ?? this.#usage;
    const problem = feed.problem ?? this.#usage.problem;
    if (problem instanceof Refused && problem.status === 401) {
      void signInAgain();
      return;
    }
    const usage = this.#usage.answer;
    const parts = {
      path: this.#url.pathname,
      screen: this.#screen,
      usage,
      now: this.#usage.now,
      email: this.#user.email,
      problem,
      ageSeconds: feed.answer === null ? null : feed.ageSeconds,
      updatedAt: feed.answer === null ? null : new Date(feed.now.getTime() - feed.ageSeconds * 1000),
      notice: this.#notice,
      body: this.#body(usage, feed),
      leave: () => void leave(),
      again: () => void feed.refresh(),
      dismiss: () => this.#tell(null),
    };
    render(frame(parts), place);
  }

  #body(usage: Usage | null, feed: Feed<Timed>): TemplateResult | null {
    if (usage === null || this.#screen === null) return null;
    // Before the answer, which is a refusal then.
    if (this.#screen.isForAdmins && !looksAfterOthers(usage)) {
      const toNow = html`<p><a href="/">Your own seats</a></p>`;
      return message("Not for you", "Owners and admins of your organization see this screen.", toNow);
    }
    return feed.answer === null ? null : this.#screen.view(this.#page(usage, feed.answer as Timed & Usage, feed));
  }

  #page(usage: Usage, answer: Timed & Usage, feed: Feed<Timed>): Page<Timed & Usage> {
    return {
      answer,
      usage,
      url: this.#url,
      now: feed.now,
      isAdmin: looksAfterOthers(usage),
      act: (what) => this.#act(what),
      call: (method, path, body) => this.#api.call(method, path, body),
      download: async (path, name) => {
        await this.#act(async () => {
          const file = await (await this.#api.ask("GET", path)).blob();
          const address = URL.createObjectURL(file);
          const link = Object.assign(document.createElement("a"), { href: address, download: name });
          link.click();
          setTimeout(() => URL.revokeObjectURL(address), 60_000);
          return `Saved as ${name}.`;
        });
      },
      copy: async (text, what) => {
        await navigator.clipboard.writeText(text).then(
          () => this.#tell({ text: `Copied: ${what}.`, isProblem: false }),
          () => this.#tell({ text: "The browser did not let this page copy. Select the text and copy it.", isProblem: true }),
        );
      },
      choose: (changes) => {
        const url = new URL(this.#url);
        for (const [word, value] of Object.entries(changes)) {
          if (value === null || value === "") url.searchParams.delete(word);
          else url.searchParams.set(word, value);
        }
        history.replaceState(null, "", url);
        void this.#follow();
      },
      redraw: () => this.#draw(),
    };
  }

  async #act(what: () => Promise<string>): Promise<boolean> {
    let done = true;
    try {
      this.#tell({ text: await what(), isProblem: false });
    } catch (error) {
      done = false;
      const text = error instanceof Refused || error instanceof Unreachable ? error.message : String(error);
      this.#tell({ text, isProblem: true });
    }
    await Promise.all([this.#usage.refresh(), this.#own?.refresh()]);
    return done;
  }

  #tell(notice: Notice | null): void {
    clearTimeout(this.#noticeTimer);
    this.#notice = notice;
    // What went wrong stays until a person has seen it.
    if (notice?.isProblem === false) this.#noticeTimer = setTimeout(() => this.#tell(null), NOTICE_FOR_MS);
    this.#draw();
  }
}

if (auth.currentUser === null) toSignIn();
else await open(auth.currentUser);
