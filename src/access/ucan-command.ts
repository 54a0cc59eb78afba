/** UCAN commands: `/` or `/segment/segment…`, lower case; one covers itself and what is below it. */

/** True for a command in the syntax of the specification. */
export function isCommand(text: string): boolean {
  return /^(?:\/|(?:\/[^/]+)+)$/u.test(text) && text === text.toLowerCase();
}

/** Whether a holder of `proof` may claim `claim`: `/crypto` covers `/crypto/sign`, not `/cryptocurrency`. */
export function covers(proof: string, claim: string): boolean {
  return proof === '/' || proof === claim || claim.startsWith(`${proof}/`);
}
