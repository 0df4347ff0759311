/** Where a person goes after signing in. */

/** The page that sent the person here, if it is one of ours. `here` is the page to sign in on. */
export function whereTo(here: URL): string {
  const named = here.searchParams.get("next") ?? "/";
  if (!URL.canParse(named, here.origin)) return "/";
  const asked = new URL(named, here.origin);
  // A blob has the origin of the page that made it, and another protocol.
  const isOurs = asked.origin === here.origin && asked.protocol === here.protocol;
  return isOurs && !asked.pathname.startsWith("/sign-in") ? asked.href : "/";
}
