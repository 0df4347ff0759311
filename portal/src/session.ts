/** Who is signed in. Firebase keeps that in this browser, for all pages of this origin. */

import { initializeApp } from "@firebase/app";
import { connectAuthEmulator, indexedDBLocalPersistence, initializeAuth, type Auth, type Dependencies } from "@firebase/auth";

/** What Firebase Hosting says about its project. Only the local stack names an emulator. */
interface Project {
  apiKey: string;
  projectId: string;
  authEmulatorHost?: string;
}

export async function session(more: Dependencies = {}): Promise<Auth> {
  const answer = await fetch("/__/firebase/init.json");
  const project = (await answer.json()) as Project;
  // The page's own domain: browsers that keep storage apart for each site refuse a sign-in through another one.
  const app = initializeApp({ ...project, authDomain: location.host });
  const auth = initializeAuth(app, { persistence: indexedDBLocalPersistence, ...more });
  if (project.authEmulatorHost !== undefined) {
    connectAuthEmulator(auth, `http://${project.authEmulatorHost}`, { disableWarnings: true });
  }
  await auth.authStateReady();
  return auth;
}
