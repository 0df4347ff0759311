/** The page to sign in on. It has a policy of its own, because Firebase loads a script of Google's for other providers. */

import { FirebaseError } from "@firebase/app";
import {
  browserPopupRedirectResolver,
  createUserWithEmailAndPassword,
  GoogleAuthProvider,
  OAuthProvider,
  SAMLAuthProvider,
  sendEmailVerification,
  sendPasswordResetEmail,
  signInWithEmailAndPassword,
  signInWithPopup,
  type AuthProvider,
} from "@firebase/auth";
import { html, nothing, render, type TemplateResult } from "lit-html";

import { session } from "./session.js";
import { whereTo } from "./where-to.js";

/** `sign-in.json`, which the vendor edits: the ways to sign in, and the provider of each company's own domain. */
interface Ways {
  password: boolean;
  google: boolean;
  microsoft: boolean;
  sso: Record<string, string>;
}

type Step = "address" | "password" | "first" | "company";

const MESSAGES: Readonly<Record<string, string>> = {
  "auth/invalid-credential": "The address or the password is wrong. Are you here for the first time? Then set a password.",
  "auth/invalid-email": "This is not an e-mail address.",
  "auth/email-already-in-use": "This address has a password already. Sign in with it, or ask for a mail to set a new one.",
  "auth/weak-password": "The password is too short. It needs six characters at least.",
  "auth/password-does-not-meet-requirements": "The password is too simple. Make it longer, with letters, digits and signs.",
  "auth/too-many-requests": "There were too many attempts. Wait some minutes, then try again.",
  "auth/user-disabled": "This account is deactivated. Ask an admin of your organization.",
  "auth/network-request-failed": "There is no connection. Try again.",
  "auth/popup-blocked": "The browser kept the window for signing in closed. Allow pop-ups for this page, then try again.",
  "auth/account-exists-with-different-credential": "This address signs in another way. Use the way that you used before.",
  "auth/operation-not-allowed": "This way to sign in is switched off. Choose another, or ask your vendor.",
};

/** What a person did, and no error. */
const SILENT = new Set(["auth/popup-closed-by-user", "auth/cancelled-popup-request"]);
/** Without protection against guessing of addresses, Firebase says more than this page does. */
const WRONG = new Set(["auth/user-not-found", "auth/wrong-password", "auth/invalid-login-credentials"]);

const place = document.querySelector<HTMLElement>("#page")!;
const next = whereTo(new URL(location.href));

let step: Step = "address";
let email = "";
let problem = "";
let done = "";
let isBusy = false;

const [auth, ways] = await Promise.all([
  session({ popupRedirectResolver: browserPopupRedirectResolver }),
  fetch("/sign-in.json").then((answer) => answer.json() as Promise<Ways>),
]);

if (auth.currentUser === null) draw();
else location.replace(next);

function draw(): void {
  render(html`<main class="card door"><h1>${step === "first" ? "Set a password" : "Sign in"}</h1>${view()}</main>`, place);
}

function show(to: Step): void {
  step = to;
  problem = done = "";
  draw();
  place.querySelector<HTMLElement>("[data-first]")?.focus();
}

/** Do what takes time. Any failure becomes a sentence on the page. */
async function run(what: () => Promise<string | null>): Promise<void> {
  problem = done = "";
  isBusy = true;
  draw();
  try {
    const said = await what();
    if (said === null) {
      location.replace(next);
      return;
    }
    done = said;
  } catch (error) {
    const code = error instanceof FirebaseError ? error.code : "";
    const known = WRONG.has(code) ? "auth/invalid-credential" : code;
    if (!SILENT.has(code)) problem = MESSAGES[known] ?? `This did not work (${code || String(error)}). Try again.`;
  }
  isBusy = false;
  draw();
}

function view(): TemplateResult {
  const said = html`<p class="problem" role="alert">${problem}</p>
    <p role="status">${done}</p>`;
  switch (step) {
    case "address":
      return html`<form @submit=${addressGiven}>
          <label for="email">Your e-mail address at work</label>
          <input id="email" name="email" type="email" autocomplete="username" required data-first .value=${email} />
          ${said}
          <p class="actions"><button class="main">Continue</button></p>
        </form>
        ${others()}`;
    case "company":
      return html`<p>${email} signs in through your company.</p>
        ${said}
        <p class="actions">
          <button class="main" data-first ?disabled=${isBusy} @click=${throughCompany}>Continue to your company</button>
          ${anotherAddress()}
        </p>`;
    case "password":
      return html`<form @submit=${passwordGiven}>
          ${who()}
          <label for="password">Password</label>
          <input id="password" name="password" type="password" autocomplete="current-password" required data-first />
          ${said}
          <p class="actions"><button class="main" ?disabled=${isBusy}>Sign in</button> ${anotherAddress()}</p>
        </form>
        <p>First time here? <button class="quiet" @click=${() => show("first")}>Set a password</button></p>
        <p>Forgotten? <button class="quiet" ?disabled=${isBusy} @click=${forgotten}>Send a mail to set a new one</button></p>
        ${others()}`;
    case "first":
      return html`<form @submit=${firstPasswordGiven}>
        ${who()}
        <label for="password">A password of your choice</label>
        <input id="password" name="password" type="password" autocomplete="new-password" minlength="6" required data-first aria-describedby="rule" />
        <p id="rule" class="muted">Six characters at least. Then we send you a mail, to see that the address is yours.</p>
        ${said}
        <p class="actions">
          <button class="main" ?disabled=${isBusy}>Set the password</button>
          <button class="quiet" type="button" @click=${() => show("password")}>I have one</button>
        </p>
      </form>`;
  }
}

/** The address again, so that a password manager keeps it with the password. */
const who = (): TemplateResult => html`<p>${email}</p>
  <input class="hidden" type="email" autocomplete="username" readonly tabindex="-1" aria-hidden="true" .value=${email} />`;

const anotherAddress = (): TemplateResult =>
  html`<button class="quiet" type="button" @click=${() => show("address")}>Another address</button>`;

function others(): TemplateResult | typeof nothing {
  if (!ways.google && !ways.microsoft) return nothing;
  const button = (name: string, provider: () => AuthProvider): TemplateResult =>
    html`<button type="button" ?disabled=${isBusy} @click=${() => through(provider())}>Sign in with ${name}</button>`;
  return html`<hr />
    <p class="actions">
      ${ways.google ? button("Google", () => new GoogleAuthProvider()) : nothing}
      ${ways.microsoft ? button("Microsoft", () => new OAuthProvider("microsoft.com")) : nothing}
    </p>`;
}

function addressGiven(event: SubmitEvent): void {
  event.preventDefault();
  email = field(event, "email").trim();
  if (companyProvider() !== undefined) show("company");
  else if (ways.password) show("password");
  else {
    problem = "This address cannot sign in here with a password. Use one of the other ways.";
    draw();
  }
}

const companyProvider = (): string | undefined => {
  const domain = email.slice(email.lastIndexOf("@") + 1).toLowerCase();
  return Object.hasOwn(ways.sso, domain) ? ways.sso[domain] : undefined;
};

function throughCompany(): void {
  const provider = companyProvider();
  if (provider === undefined) return;
  through(provider.startsWith("saml.") ? new SAMLAuthProvider(provider) : new OAuthProvider(provider));
}

function through(provider: AuthProvider): void {
  void run(async () => {
    await signInWithPopup(auth, provider);
    return null;
  });
}

function passwordGiven(event: SubmitEvent): void {
  event.preventDefault();
  const password = field(event, "password");
  void run(async () => {
    await signInWithEmailAndPassword(auth, email, password);
    return null;
  });
}

function firstPasswordGiven(event: SubmitEvent): void {
  event.preventDefault();
  const password = field(event, "password");
  void run(async () => {
    const { user } = await createUserWithEmailAndPassword(auth, email, password);
    await sendEmailVerification(user, { url: new URL(next, location.origin).href });
    return null;
  });
}

function forgotten(): void {
  void run(async () => {
    // The same sentence whether there is such an account or not.
    await sendPasswordResetEmail(auth, email).catch((error: unknown) => {
      if (!(error instanceof FirebaseError && WRONG.has(error.code))) throw error;
    });
    return `If ${email} has a password here, a mail is on its way. Look among the unwanted mails, too.`;
  });
}

function field(event: SubmitEvent, name: string): string {
  return String(new FormData(event.target as HTMLFormElement).get(name) ?? "");
}
