/** The users of the organization, and who is invited to become one. */

import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

import type { components } from "../answers.js";
import { ago, when } from "../dates.js";
import type { Page, Role, Screen } from "../screen.js";

type Answer = components["schemas"]["MembersAnswer"];
type Member = components["schemas"]["MemberView"];
type Invitation = components["schemas"]["InvitationView"];
type Invited = components["schemas"]["InvitationAnswer"];

export const screen: Screen<Answer> = {
  title: "People",
  isForAdmins: true,
  asks: (url) => {
    const token = url.searchParams.get("page");
    return `/v1/members?page_size=100${token === null ? "" : `&page_token=${encodeURIComponent(token)}`}`;
  },
  everySeconds: 60,
  view,
};

const ROLES: readonly (readonly [role: Role, meaning: string])[] = [
  ["member", "takes seats"],
  ["guest", "takes no seats, and sees how many are in use"],
  ["admin", "takes seats, and looks after people and seats"],
  ["owner", "as an admin, and looks after owners as well"],
];

/** The person whom the dialog is about. */
let chosen: Member | null = null;

function view(page: Page<Answer>): TemplateResult {
  const { members, invitations, next_page_token: next } = page.answer;
  // Its fields go with it: what was chosen for one person must not stand there for the next.
  const closed = (): void => {
    chosen = null;
    page.redraw();
  };
  return html`
    ${inviting(page)}
    ${invitations.length === 0 ? nothing : invited(invitations, page)}
    <section>
      <h2 id="people">People</h2>
      <div class="scroll" role="region" aria-labelledby="people" tabindex="0">
        <table class="stacked">
          <thead>
            <tr>
              <th scope="col">Person</th><th scope="col">Role</th><th scope="col">Groups</th><th scope="col">State</th>
              <th scope="col" class="number">Seats now</th><th scope="col">Last seat</th>
              <th scope="col" class="number">Denied in 30 days</th><th scope="col"><span class="hidden">Action</span></th>
            </tr>
          </thead>
          <tbody>
            ${repeat(members, (each) => each.user_id, (each) => row(each, page))}
          </tbody>
        </table>
      </div>
      ${next === null && !page.url.searchParams.has("page")
        ? nothing
        : html`<p class="actions">
            ${page.url.searchParams.has("page") ? html`<a href="/people">First page</a>` : nothing}
            ${next === null ? nothing : html`<a href=${`/people?page=${encodeURIComponent(next)}`}>More people</a>`}
          </p>`}
    </section>
    <dialog id="person" aria-labelledby="person-title" @close=${closed}>${chosen === null ? nothing : editing(chosen, page)}</dialog>
  `;
}

const isOwner = (page: Page<Answer>): boolean => page.usage.viewer.role === "owner";
/** Only owners touch owners. */
const rolesFor = (page: Page<Answer>): typeof ROLES => ROLES.filter(([role]) => isOwner(page) || role !== "owner");

function inviting(page: Page<Answer>): TemplateResult {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const given = new FormData(form);
    const email = String(given.get("email")).trim();
    const body = { email, role: String(given.get("role")), groups: groupsIn(given) };
    void page
      .act(async () => {
        await page.call<Invited>("POST", "/v1/invitations", body);
        return `${email} is invited. Now send the link: it stands below, at the invitation.`;
      })
      .then((done) => {
        if (done) form.reset();
      });
  };
  return html`<section class="card" aria-labelledby="invite">
    <h2 id="invite">Invite a colleague</h2>
    <form class="row" @submit=${submit}>
      <div><label for="email">E-mail address</label><input id="email" name="email" type="email" required autocomplete="off" /></div>
      <div><label for="role">Role</label>${roleChoice("role", "member", page)}</div>
      <div><label for="groups">Groups, with commas</label><input id="groups" name="groups" autocomplete="off" /></div>
      <button class="main">Invite</button>
    </form>
    <p class="muted">The link of an invitation holds no secret. Who signs in with the invited address may join, for 14 days.</p>
  </section>`;
}

function roleChoice(id: string, current: string | null, page: Page<Answer>): TemplateResult {
  return html`<select id=${id} name="role">
    ${rolesFor(page).map(([role, meaning]) => html`<option value=${role} ?selected=${role === current}>${role}: ${meaning}</option>`)}
  </select>`;
}

const groupsIn = (given: FormData): string[] =>
  String(given.get("groups") ?? "").split(",").map((each) => each.trim()).filter((each) => each !== "");

function invited(invitations: readonly Invitation[], page: Page<Answer>): TemplateResult {
  return html`<section>
    <h2 id="invited">Invited</h2>
    <div class="scroll" role="region" aria-labelledby="invited" tabindex="0">
      <table class="stacked">
        <thead>
          <tr><th scope="col">Address</th><th scope="col">Role</th><th scope="col">Groups</th><th scope="col">Until</th><th scope="col">Actions</th></tr>
        </thead>
        <tbody>
          ${repeat(invitations, (each) => each.invitation_id, (each) => invitationRow(each, page))}
        </tbody>
      </table>
    </div>
  </section>`;
}

function invitationRow(invitation: Invitation, page: Page<Answer>): TemplateResult {
  const { email, role, groups, invitation_id: id } = invitation;
  const { organization } = page.usage;
  const link = `${location.origin}/join?org=${encodeURIComponent(organization.organization_id)}`;
  const text = `Join ${organization.name} here, with the address ${email}:\n\n${link}\n`;
  const mail = `mailto:${encodeURIComponent(email)}?subject=${encodeURIComponent(`Join ${organization.name}`)}&body=${encodeURIComponent(text)}`;
  const renew = (): void =>
    void page.act(async () => {
      await page.call<Invited>("POST", "/v1/invitations", { email, role, groups });
      return `The invitation of ${email} lasts for 14 more days. Send the link again.`;
    });
  const withdraw = (): void =>
    void page.act(async () => {
      await page.call("DELETE", `/v1/invitations?invitation_id=${encodeURIComponent(id)}`);
      return `${email} is not invited any more.`;
    });
  return html`<tr>
    <th scope="row">${email}</th>
    <td data-name="Role">${role}</td>
    <td data-name="Groups">${groups.join(", ")}</td>
    <td data-name="Until">${when(invitation.expires_at, page.now)}</td>
    <td class="buttons">
      <button type="button" aria-label=${`Copy the link for ${email}`} @click=${() => void page.copy(link, `the link for ${email}`)}>Copy link</button>
      <a class="button" href=${mail} aria-label=${`Write a mail to ${email}`}>Mail</a>
      <button type="button" aria-label=${`Renew the invitation of ${email}`} @click=${renew}>Renew</button>
      <button type="button" class="danger" aria-label=${`Withdraw the invitation of ${email}`} @click=${withdraw}>Withdraw</button>
    </td>
  </tr>`;
}

function row(member: Member, page: Page<Answer>): TemplateResult {
  const person = member.email ?? member.user_id;
  const choose = (): void => {
    chosen = member;
    page.redraw();
    document.querySelector<HTMLDialogElement>("#person")?.showModal();
  };
  const isMine = isOwner(page) || member.role !== "owner";
  return html`<tr>
    <th scope="row">${person}</th>
    <td data-name="Role">${member.role}</td>
    <td data-name="Groups">${member.groups.join(", ")}</td>
    <td data-name="State">${state(member)}</td>
    <td data-name="Seats now" class="number">${member.seats_in_use}</td>
    <td data-name="Last seat">${member.last_seat_at === null ? "never" : ago(member.last_seat_at, page.now)}</td>
    <td data-name="Denied in 30 days" class="number">${member.denied_30_days}</td>
    <td>${isMine ? html`<button type="button" aria-label=${`Edit ${person}`} @click=${choose}>Edit</button>` : nothing}</td>
  </tr>`;
}

function state(member: Member): TemplateResult | string {
  if (member.misconfigured_fields.length > 0) {
    return html`<span class="problem">Your vendor must correct: ${member.misconfigured_fields.join(", ")}</span>`;
  }
  return member.is_active === false ? html`<span class="problem">deactivated</span>` : "active";
}

function editing(member: Member, page: Page<Answer>): TemplateResult {
  const person = member.email ?? member.user_id;
  const close = (): void => document.querySelector<HTMLDialogElement>("#person")?.close();
  const change = (body: Record<string, unknown>, done: string): void => {
    close();
    void page.act(async () => {
      await page.call("PATCH", "/v1/members", { user_id: member.user_id, ...body });
      return done;
    });
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    change({ role: String(given.get("role")), groups: groupsIn(given) }, `${person} is changed.`);
  };
  const toggle = (): void =>
    member.is_active === false
      ? change({ is_active: true }, `${person} is active again.`)
      : change({ is_active: false }, `${person} is deactivated: no seats, and those in use end.`);
  return html`<form @submit=${submit}>
    <h2 id="person-title">${person}</h2>
    <label for="new-role">Role</label>${roleChoice("new-role", member.role, page)}
    <label for="new-groups">Groups, with commas</label>
    <input id="new-groups" name="groups" autocomplete="off" .value=${member.groups.join(", ")} />
    <p class="actions">
      <button class="main">Save</button>
      <button type="button" @click=${close}>Cancel</button>
      <button type="button" class="danger" @click=${toggle}>${member.is_active === false ? "Activate again" : "Deactivate"}</button>
    </p>
    <p class="muted">A deactivated person holds no seat and cannot take one. Nothing is deleted.</p>
  </form>`;
}
