/**
 * The library behind `hw`: an embedded ledger of CloudEvents, and a whole node. Offline checks alone
 * are the smaller door `headwater/verify`, which also runs in browsers.
 *
 *   const home = await openHome(directory);             made by `hw init`
 *   const node = await startNode(home.value, processRuntime());
 *
 * or only the ledger, over a store of one's own:
 *
 *   const ledger = await Ledger.open({ store, guard, host, crypto: nodeCrypto, judges: nodeJudges, … });
 */
export { mintWriteDelegation } from './access/peer-delegation.ts';
export { nodeCrypto, signerFromSeed } from './crypto-node.ts';
export type { Crypto, Hasher, Signer } from './crypto.ts';
export {
  exitCode,
  fault,
  HeadwaterError,
  httpStatus,
  placeText,
  type Code,
  type Fault,
  type Place,
} from './errors.ts';
export { makeEvent } from './event/make.ts';
export { parseNdjson, type NdjsonLine } from './event/ndjson.ts';
export { parseHttp, type HttpMessage } from './event/parse-http.ts';
export { parseJsonBatch, parseJsonEvent } from './event/parse-json.ts';
export { renderBatch, renderHttp, renderJson, renderLine } from './event/render.ts';
export type { Clock, Host, Random, Timers } from './host.ts';
export {
  didFromKey,
  formatReference,
  parseDid,
  parseLogId,
  parseReference,
  type Reference,
} from './ids.ts';
export { formatPosition, parsePosition, type Position } from './ledger/cursors.ts';
export { GuardFile } from './ledger/guard-file.ts';
export { MemoryGuard, type Guard } from './ledger/guard.ts';
export type {
  AppendedBlock,
  ApplyOutcome,
  EntryBatch,
  LedgerEntry,
  LedgerOptions,
  LedgerStats,
  LogSummary,
  NewLog,
  Receipt,
  StoredBlock,
  VerifyReport,
} from './ledger/ledger-types.ts';
export { Ledger } from './ledger/ledger.ts';
export type { EpochPolicy } from './ledger/epoch-policy.ts';
export type { EpochKey, NextEpoch, OpenedEpoch, Sealing } from './ledger/sealing.ts';
export { policyMap, readPolicy, type RetentionPolicy } from './ledger/retention-policy.ts';
export { MemoryStore } from './ledger/memory-store.ts';
export { LevelStore, type Store } from './ledger/store.ts';
export { limits, protocol } from './limits.ts';
export { openHome, type Home } from './node/home.ts';
export { startNode } from './node/node.ts';
export { nodeJudges } from './node/judges.ts';
export { openHomeLedger } from './node/open-ledger.ts';
export type { RunningNode, StartOptions } from './node/running-node.ts';
export { processRuntime, type Runtime } from './node/runtime.ts';
export type { Result, Verdict } from './result.ts';
export {
  asHash,
  asStreamName,
  dataKind,
  type Attributes,
  type DataKind,
  type Did,
  type EventBytes,
  type Hash,
  type LogId,
  type LogIndex,
  type ParsedEvent,
  type PublicKey,
  type StreamName,
  type TimeMs,
  type TreeSize,
} from './types.ts';
