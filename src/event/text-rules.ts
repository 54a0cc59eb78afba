/**
 * Forms of text that CloudEvents names: URI and URI-reference (RFC 3986), media types (RFC 9110
 * section 8.3) and the characters of a String (CloudEvents 1.0.2, "Type System").
 */
import type { Code } from '../errors.ts';

const pathChar = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
const hostChar = "(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})";
const userChar = "(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})";
const firstChar = "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})";
const ipLiteral = String.raw`\[([0-9A-Fa-f:.]+|[Vv][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]`;
const authority = `(?:${userChar}*@)?(?:${ipLiteral}|${hostChar}*)(?::[0-9]*)?`;
const rooted = `//${authority}(?:/${pathChar}*)*|/(?:${pathChar}+(?:/${pathChar}*)*)?`;
const tail = String.raw`(?:\?(?:${pathChar}|[/?])*)?(?:#(?:${pathChar}|[/?])*)?$`;

const absolutePattern = new RegExp(
  `^[A-Za-z][A-Za-z0-9+.-]*:(?:${rooted}|${pathChar}+(?:/${pathChar}*)*|)${tail}`,
);
const relativePattern = new RegExp(`^(?:${rooted}|${firstChar}+(?:/${pathChar}*)*|)${tail}`);
/** What nearly every `source` looks like; tried first because it is a third of the cost. */
const plainPath = /^(?:\/[A-Za-z0-9._~-]+)+$/;

/**
 * RFC 3986 section 4.1, not empty. Characters outside ASCII must be percent-encoded: an IRI is not
 * a URI.
 */
export function isUriReference(text: string): boolean {
  return text !== '' && (plainPath.test(text) || matches(relativePattern, text) || isUri(text));
}

/**
 * A URI with its scheme. A fragment is let through, although the text of CloudEvents points to
 * section 4.3 of RFC 3986, which has none: its own JSON Schema (`format: uri`) and the SDKs take
 * it, and `…/schemas.json#/definitions/x` is how JSON Schema names a part.
 */
export function isUri(text: string): boolean {
  return matches(absolutePattern, text);
}

function matches(pattern: RegExp, text: string): boolean {
  const match = pattern.exec(text);
  if (match === null) return false;
  const literal = match[1] ?? match[2];
  return literal === undefined || /^[Vv]/.test(literal) || isIpv6(literal);
}

/** RFC 3986 section 3.2.2: eight groups, one run of them may be `::`, the last two may be IPv4. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [place, half] of halves.entries()) {
    if (half === '') continue;
    const items = half.split(':');
    for (const [i, item] of items.entries()) {
      const isLast = place === halves.length - 1 && i === items.length - 1;
      if (isLast && isIpv4(item)) groups += 2;
      else if (/^[0-9A-Fa-f]{1,4}$/.test(item)) groups += 1;
      else return false;
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}

function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/.test(text);
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quotedString = String.raw`"(?:[ !#-\[\]-~]|\\[ -~])*"`;
const mediaTypePattern = new RegExp(
  `^(${token})/(${token})(?: *;(?: *${token}=(?:${token}|${quotedString}))?)*$`,
);

export function isMediaType(text: string): boolean {
  return text === 'application/json' || mediaTypePattern.test(text);
}

/** `json` or `…+json` as the subtype; an event without `datacontenttype` counts as JSON too. */
export function isJsonType(mediaType: string | undefined): boolean {
  if (mediaType === undefined || mediaType === 'application/json') return true;
  return /^[^/;]+\/(?:json|[^;]*\+json) *(?:;|$)/i.test(mediaType);
}

/** `text/*`, `application/xml` and `+xml`, without a charset or with one that UTF-8 holds. */
export function isUtf8TextType(mediaType: string): boolean {
  if (!/^(?:text\/|application\/xml *(?:;|$)|[^/;]+\/[^;]*\+xml *(?:;|$))/i.test(mediaType)) {
    return false;
  }
  return isUtf8Charset(mediaType);
}

/** No charset parameter, or `utf-8` or `us-ascii`. */
export function isUtf8Charset(mediaType: string): boolean {
  const charset = /; *charset=("?)([^";]*)\1/i.exec(mediaType)?.[2];
  return charset === undefined || /^(?:utf-8|us-ascii)$/i.test(charset.trim());
}

/**
 * What keeps `text` from being a CloudEvents String: `lone-surrogate`,
 * `attribute-control-character` (U+0000-001F, U+007F-009F), `attribute-noncharacter`.
 */
export function stringFault(text: string): Code | undefined {
  if (!text.isWellFormed()) return 'lone-surrogate';
  if (/\p{Cc}/u.test(text)) return 'attribute-control-character';
  if (/\p{Noncharacter_Code_Point}/u.test(text)) return 'attribute-noncharacter';
  return undefined;
}
