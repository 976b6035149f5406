/** Short programs over web interfaces: what Node.js gives, the default runtime gives (js-runtime 5.3). */
import { probes as addressesAndText } from "./addresses_and_text.mjs";
import { probes as bodies } from "./bodies.mjs";
import { probes as eventsAndClones } from "./events_and_clones.mjs";
import { probes as streams } from "./streams.mjs";
import { probes as cryptography } from "./cryptography.mjs";
import { probes as language } from "./language.mjs";
import { probes as network } from "./network.mjs";

/** What a program gives, as text. */
export async function outcome(program, url) {
  try {
    return JSON.stringify(await program(url)) ?? "undefined";
  } catch (error) {
    return `thrown: ${error?.name}: ${error?.message}`;
  }
}

/** Those for queries, mutations and actions. */
export const everywhere = {
  ...addressesAndText,
  ...bodies,
  ...eventsAndClones,
  ...streams,
  ...cryptography,
  ...language,
};
/** Those for actions. */
export const inActions = { ...everywhere, ...network };
