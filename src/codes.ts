/**
 * Every error code, its class and its hint. A class fixes the exit code of a command (operations.md)
 * and the HTTP status. docs/reference/errors.md is generated from this table. Codes are never
 * renamed or reused.
 */
export const classes = {
  invalid: { exit: 1, status: 422 },
  usage: { exit: 2, status: 400 },
  missing: { exit: 1, status: 404 },
  conflict: { exit: 1, status: 409 },
  large: { exit: 1, status: 413 },
  media: { exit: 1, status: 415 },
  busy: { exit: 1, status: 429 },
  denied: { exit: 5, status: 403 },
  unauthorised: { exit: 5, status: 401 },
  broken: { exit: 3, status: 500 },
  incomplete: { exit: 4, status: 503 },
  unreachable: { exit: 6, status: 503 },
  unavailable: { exit: 1, status: 503 },
  down: { exit: 69, status: 503 },
  config: { exit: 78, status: 500 },
  full: { exit: 1, status: 507 },
  failed: { exit: 1, status: 500 },
} as const;

export const codes = {
  // encodings (floor 0)
  truncated: ['invalid', 'The bytes do not follow the format; ask the sender for the original.'],
  'trailing-bytes': [
    'invalid',
    'The bytes do not follow the format; ask the sender for the original.',
  ],
  'integer-too-large': ['invalid', 'Numbers are at most 2^53-1.'],
  'cbor-encoding': [
    'invalid',
    'Only canonical dag-cbor is read: shortest forms, sorted keys, no floats.',
  ],
  'cbor-shape': ['invalid', 'The bytes do not follow the format; ask the sender for the original.'],
  'bad-base64': ['invalid', 'Use padded standard base64 (RFC 4648 section 4) in canonical form.'],
  'bad-base32': ['invalid', 'A log id is lower-case base32 with the prefix b.'],
  'bad-base58': ['invalid', 'A did:key is base58btc with the prefix z.'],
  'bad-hex': ['invalid', 'Use lower-case hex.'],
  'bad-utf8': ['invalid', 'Send the text as UTF-8.'],
  'bad-logid': ['usage', 'A log id looks like bafkrei…, 59 characters.'],
  'bad-did': ['usage', 'An organisation is written did:key:z6Mk….'],
  'bad-reference': ['usage', 'A reference is hw:<logId>/<index> or hw:<logId>/<from>-<to>.'],
  'bad-link': ['usage', 'A link is hw:<logId>[/<index>][?peer=<multiaddr>].'],
  'parents-over-limit': ['invalid', 'Cite a range instead of its entries; at most 256 references.'],
  'bad-name': ['usage', 'A stream name matches [a-z0-9][a-z0-9._-]{0,62}.'],
  'bad-time': ['usage', 'Write times as RFC 3339, for example 2026-01-31T12:00:00Z.'],
  // process
  internal: [
    'failed',
    'This is a defect of Headwater: please report it with the log lines around it.',
  ],
  'not-supported': ['usage', 'This is not built yet; see docs/STATUS.md.'],
} as const;
