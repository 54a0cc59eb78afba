/** A ledger with events, its static tree in a folder, and a plain file server before it. */
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { ledgerSource } from '../../src/node/log-source.ts';
import { exportTree, type ExportReport } from '../../src/node/static-export.ts';
import type { StaticIndex } from '../../src/node/static-index.ts';
import { DiskFolder, type TreeFolder } from '../../src/node/tree-folder.ts';
import type { Result } from '../../src/result.ts';
import type { LogId } from '../../src/types.ts';
import { newLog } from '../support/ledger-home.ts';
import { must } from '../support/result.ts';

interface Owner {
  readonly pid: number;
  processAlive(pid: number): boolean;
}
export const owner: Owner = { pid: process.pid, processAlive: (pid) => pid === process.pid };

function indexFor(log: LogId): StaticIndex {
  const { owner: by, name } = newLog;
  return { stream: log, owner: by, name, partitions: 1, logs: [{ log, partition: 0 }] };
}

/** Exports with the real folder; `wrap` may put another one around it. */
export async function exportLog(
  ledger: Ledger,
  log: LogId,
  path: string,
  wrap: (folder: TreeFolder) => TreeFolder = (folder) => folder,
): Promise<Result<ExportReport>> {
  await using disk = must(await DiskFolder.open(path, owner));
  const source = ledgerSource(ledger);
  const { signal } = new AbortController();
  const parts = { source, folder: wrap(disk), crypto: nodeCrypto, signal };
  return await exportTree(parts, indexFor(log));
}

export interface FileServer extends AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** Set: answers instead of the file, where it returns true. */
  answer: ((path: string, response: ServerResponse) => boolean) | undefined;
}

/** Serves a folder as any web server would, and knows nothing else. */
export async function serveFolder(root: string): Promise<FileServer> {
  const served: { asked: string[]; answer: FileServer['answer'] } = {
    asked: [],
    answer: undefined,
  };
  const http = createServer((request, response) => {
    const path = normalize(decodeURIComponent(request.url ?? '/'));
    served.asked.push(path);
    if (served.answer?.(path, response) === true) return;
    readFile(join(root, path)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end('not here'),
    );
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  http.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.assign(served, {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      const closed = Promise.withResolvers<void>();
      http.close(() => closed.resolve());
      await closed.promise;
    },
  });
}
