/** Files of logs for an export: from a ledger that is open here, or from a node over its API. */
import { fault } from '../errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { parseStaticPath } from '../ledger/static-tree.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { ApiClient } from './api-client.ts';
import { LogFiles } from './core/log-files.ts';
import { JsonView } from './json-view.ts';
import type { LogSource } from './static-export.ts';

export function ledgerSource(ledger: Ledger): LogSource {
  const files = new LogFiles(ledger);
  return {
    read: async (log, path) => {
      const parsed = parseStaticPath(path);
      return parsed.ok ? files.file(log, parsed.value) : parsed;
    },
    mayBeReduced: (log) => files.mayBeReduced(log),
  };
}

export function apiSource(client: ApiClient, signal: AbortSignal): LogSource {
  const read = async (log: LogId, path: string): Promise<Result<Uint8Array>> => {
    const request = { method: 'GET', path: `/logs/${log}/${path}`, accept: '*/*', signal } as const;
    const answer = await client.open(request);
    if (!answer.ok) return answer;
    const parts: Uint8Array[] = [];
    try {
      for await (const chunk of answer.value.chunks) parts.push(chunk);
    } catch {
      return err(fault('node-unreachable', 'the node broke off in the middle of its answer'));
    }
    if (signal.aborted) return err(fault('interrupted', 'interrupted'));
    return ok(new Uint8Array(Buffer.concat(parts)));
  };
  const mayBeReduced = async (log: LogId): Promise<Result<boolean>> => {
    const answer = await client.call({ method: 'GET', path: `/logs/${log}/tree`, signal });
    if (!answer.ok) return answer;
    return ok(new JsonView(answer.value.body).at('mayBeReduced').value !== false);
  };
  return { read, mayBeReduced };
}
