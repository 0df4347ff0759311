/**
 * `/cli`: a program on a device asks to be signed in as the person who looks.
 *
 * A thief can send this link, or a code, to anyone, and the page is then the real one. Only what it says protects people.
 */

import { html, nothing, type TemplateResult } from "lit-html";

import type { components } from "../answers.js";
import { Refused, Unreachable } from "../api.js";
import type { Door, Visit } from "../screen.js";

type Asked = components["schemas"]["LookAnswer"];
type Decided = components["schemas"]["DecisionAnswer"];
type End = "approved" | "refused";

const PATH = "/v1/sign-ins";
/** Where the page may go with a code: a program on this computer, and nowhere else. */
const ON_THIS_COMPUTER = /^http:\/\/127\.0\.0\.1:[0-9]{1,5}\/\?/;
const END: Readonly<Record<End, readonly [string, string]>> = {
  approved: ["Signed in", "The device is signed in as you. Go back to it. You can close this page."],
  refused: ["Refused", "The device was not signed in. You can close this page."],
};

let asked: Asked | null = null;
let typed: string | null = null;
let end: End | null = null;
let problem: string | null = null;
let isBusy = false;

export const door: Door = {
  title: "Sign a device in",
  open: (visit) => {
    const id = visit.url.searchParams.get("sign_in");
    if (id !== null) void look(visit, { sign_in_id: id });
  },
  view,
};

/** Do what takes time. Any failure becomes a sentence on the page. */
async function run({ redraw }: Visit, what: () => Promise<void>): Promise<void> {
  problem = null;
  isBusy = true;
  redraw();
  try {
    await what();
  } catch (error) {
    if (error instanceof Refused && error.code === "INVALID_REQUEST") problem = "This is no code that a device shows. Look at it again.";
    else problem = error instanceof Refused || error instanceof Unreachable ? error.message : "There is no connection. Try again.";
  }
  isBusy = false;
  redraw();
}

function look(visit: Visit, by: { sign_in_id: string } | { user_code: string }): Promise<void> {
  return run(visit, async () => {
    const found = await visit.api.call<Asked>("POST", PATH, { step: "look", ...by });
    // A link must not spare a person the typing where the device may be elsewhere.
    if (!found.needs_code || "user_code" in by) asked = found;
  });
}

function decide(visit: Visit, { sign_in_id }: Asked, step: "approve" | "refuse"): Promise<void> {
  return run(visit, async () => {
    const code = typed === null ? {} : { user_code: typed };
    const { redirect_to } = await visit.api.call<Decided>("POST", PATH, { step, sign_in_id, ...code });
    end = step === "approve" ? "approved" : "refused";
    if (redirect_to !== null && ON_THIS_COMPUTER.test(redirect_to)) location.assign(redirect_to);
  });
}

function codeTyped(visit: Visit, event: SubmitEvent): void {
  event.preventDefault();
  typed = String(new FormData(event.target as HTMLFormElement).get("code"));
  void look(visit, { user_code: typed });
}

function view(visit: Visit): TemplateResult {
  if (end !== null) {
    const [title, text] = END[end];
    return html`<section class="card"><h1>${title}</h1><p role="status">${text}</p></section>`;
  }
  const said = problem === null ? nothing : html`<p class="problem" role="alert">${problem}</p>`;
  if (asked !== null) return confirm(visit, asked, said);
  if (isBusy) return html`<section class="card"><h1>Sign a device in</h1><p>One moment …</p></section>`;
  return html`<section class="card">
    <h1>Sign a device in</h1>
    <form @submit=${(event: SubmitEvent) => codeTyped(visit, event)}>
      <label for="code">The code that your device shows</label>
      <input id="code" name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required />
      ${said}
      <p>Did somebody send you a code? Do not type it: they would be signed in as you.</p>
      <p class="actions"><button class="main">Continue</button></p>
    </form>
  </section>`;
}

function confirm(visit: Visit, device: Asked, said: TemplateResult | typeof nothing): TemplateResult {
  const isElsewhere = device.ip_address !== null && !device.same_address;
  return html`<section class="card">
    <h1>Sign this device in?</h1>
    <dl>
      <dt>Device</dt>
      <dd>${device.device_name}</dd>
      <dt>Its address</dt>
      <dd>${device.ip_address ?? "not known"}</dd>
      <dt>Signed in as</dt>
      <dd>${visit.user.email}</dd>
      <dt>Organization</dt>
      <dd>${device.organization.name || device.organization.organization_id}</dd>
    </dl>
    ${
      isElsewhere
        ? html`<p class="problem" role="note">
            This device is at another address than this browser. Is it not a device of yours? Then refuse.
          </p>`
        : nothing
    }
    <p>
      It can use your seats until you sign out there. Confirm only if you have just started to sign in on it yourself. If
      somebody sent you here, refuse: they would be signed in as you.
    </p>
    ${said}
    <p class="actions">
      <button type="button" class="main" ?disabled=${isBusy} @click=${() => void decide(visit, device, "approve")}>
        Sign the device in
      </button>
      <button type="button" ?disabled=${isBusy} @click=${() => void decide(visit, device, "refuse")}>Refuse</button>
    </p>
  </section>`;
}
