/** `/join?org=…`: the link of an invitation. It proves nothing; the verified address does. */

import { sendEmailVerification } from "@firebase/auth";
import { html, type TemplateResult } from "lit-html";

import type { components } from "../answers.js";
import { Refused, Unreachable } from "../api.js";
import type { Door, Visit } from "../screen.js";

type Joined = components["schemas"]["JoinAnswer"];

/** The claims of an account follow its user document within seconds. */
const CLAIMS_WITHIN_MS = 60_000;
const ASK_EVERY_MS = 2_000;

let problem: string | null = null;
let sent = "";
let isBusy = false;

export const door: Door = {
  title: "Join your organization",
  open: (visit) => void join(visit),
  view,
};

async function join(visit: Visit): Promise<void> {
  const { api, user, url, redraw } = visit;
  problem = null;
  isBusy = true;
  redraw();
  try {
    await user.reload();
    if (!(await isMember(visit)) && user.emailVerified) {
      const organization = url.searchParams.get("org");
      await api.call<Joined>("POST", "/v1/join", organization === null ? {} : { organization_id: organization });
      const until = performance.now() + CLAIMS_WITHIN_MS;
      while (!(await isMember(visit)) && performance.now() < until) await new Promise((done) => setTimeout(done, ASK_EVERY_MS));
    }
    if (await isMember(visit)) {
      location.replace("/");
      return;
    }
    if (user.emailVerified) problem = "You have joined, but your account is not ready yet. Try again in a minute.";
  } catch (error) {
    problem = error instanceof Refused || error instanceof Unreachable ? error.message : "There is no connection. Try again.";
  }
  isBusy = false;
  redraw();
}

/** Whether the account names an organization: in a new token, because an old one keeps what it said. */
async function isMember({ user }: Visit): Promise<boolean> {
  const { claims } = await user.getIdTokenResult(true);
  return typeof claims["org_id"] === "string";
}

async function sendAgain({ user, redraw }: Visit): Promise<void> {
  await sendEmailVerification(user, { url: location.href }).then(
    () => (sent = "The mail is on its way."),
    () => (sent = "The mail could not be sent. Wait some minutes, then try again."),
  );
  redraw();
}

function view(visit: Visit): TemplateResult {
  if (isBusy) return html`<section class="card"><h1>Join your organization</h1><p>One moment …</p></section>`;
  if (!visit.user.emailVerified) {
    return html`<section class="card">
      <h1>Confirm your address</h1>
      <p>We have sent a mail to ${visit.user.email}. Open the link in it, then come back to this page.</p>
      <p role="status">${sent}</p>
      <p class="actions">
        <button type="button" class="main" @click=${() => void join(visit)}>I have opened the link</button>
        <button type="button" @click=${() => void sendAgain(visit)}>Send the mail again</button>
      </p>
    </section>`;
  }
  return html`<section class="card">
    <h1>You belong to no organization yet</h1>
    ${problem === null ? html`<p>If a colleague has invited ${visit.user.email}, you can join now.</p>` : html`<p class="problem">${problem}</p>`}
    <p>
      An owner or admin of your organization invites you on the screen People. The invitation must name the address
      ${visit.user.email}, and lasts 14 days.
    </p>
    <p class="actions">
      <button type="button" class="main" @click=${() => void join(visit)}>${problem === null ? "Join" : "Try again"}</button>
    </p>
  </section>`;
}
