/** The page to sign in on. It has a policy of its own, because Firebase loads a script of Google's for other providers. */

import { html, render } from "lit-html";

import { session } from "./session.js";

const place = document.querySelector<HTMLElement>("#page")!;
await session();
render(html`<main class="card door"><h1>Sign in</h1></main>`, place);
