/**
 * Every error code, its class and its hint. A class fixes the exit code of a command (operations.md)
 * and the HTTP status. docs/reference/errors.md is generated from this table. Codes are never
 * renamed or reused.
 */
import { dataCodes } from './codes-data.ts';
import { nodeCodes } from './codes-node.ts';

export const classes = {
  invalid: { exit: 1, status: 422 },
  usage: { exit: 2, status: 400 },
  missing: { exit: 1, status: 404 },
  gone: { exit: 4, status: 410 },
  conflict: { exit: 1, status: 409 },
  large: { exit: 1, status: 413 },
  media: { exit: 1, status: 415 },
  busy: { exit: 1, status: 429 },
  denied: { exit: 5, status: 403 },
  unauthorised: { exit: 5, status: 401 },
  broken: { exit: 3, status: 500 },
  incomplete: { exit: 4, status: 503 },
  untrusted: { exit: 4, status: 422 },
  unreachable: { exit: 6, status: 503 },
  unavailable: { exit: 1, status: 503 },
  down: { exit: 69, status: 503 },
  config: { exit: 78, status: 500 },
  full: { exit: 1, status: 507 },
  failed: { exit: 1, status: 500 },
  interrupted: { exit: 130, status: 499 },
} as const;

export const codes: typeof dataCodes & typeof nodeCodes = { ...dataCodes, ...nodeCodes };
