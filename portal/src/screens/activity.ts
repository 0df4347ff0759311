import { html } from "lit-html";

import type { Screen } from "../screen.js";

export const screen: Screen = {
  title: "Activity",
  isForAdmins: true,
  asks: null,
  everySeconds: 300,
  view: () => html`<p>Not yet.</p>`,
};
