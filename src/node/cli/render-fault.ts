/** The one form of an error on the command line: message, code, place, hint; never a stack trace. */
import { placeText, type Fault } from '../../errors.ts';

/** For people; `colour` where stderr is a terminal. */
export function faultText(fault: Fault, colour: boolean): string {
  const label = colour ? '\u001b[31;1merror:\u001b[0m' : 'error:';
  const place = placeText(fault.place);
  return [
    `${label} ${fault.message} [${fault.code}]\n`,
    place === '' ? '' : `  at ${place}\n`,
    fault.hint === '' ? '' : `  hint: ${fault.hint}\n`,
  ].join('');
}

/** {"error":{"code","message","hint","place"}} and a line end. */
export function faultJson(fault: Fault): string {
  const { code, message, hint, place } = fault;
  return `${JSON.stringify({ error: { code, message, hint, ...(place && { place }) } })}\n`;
}
