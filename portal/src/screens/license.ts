import { html } from "lit-html";

import type { Screen } from "../screen.js";

export const screen: Screen = {
  title: "License",
  isForAdmins: true,
  asks: null,
  everySeconds: 15,
  view: () => html`<p>Not yet.</p>`,
};
