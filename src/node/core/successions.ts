/**
 * Who was succeeded by whom (access.md "Identities and keys"), from the registries that count here: the
 * registry of a DID is closed by a successor log whose genesis reveals the recovery key and has another
 * owner. The ledger has judged the successor; that the registry is the right one the pins say.
 */
import { fault } from '../../errors.ts';
import type { Identities, Succession, SuccessionTerms } from '../../identities.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { asTimeMs, type Did, type LogId } from '../../types.ts';
import type { TableRows } from '../../ledger/table-rows.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Check } from '../node-api.ts';
import type { SucceededEntry } from './cards.ts';
import { streamIdOf } from './own-chains.ts';
import type { EntryPlace } from './registries.ts';
import { RegistryPins } from './registry-pins.ts';

export interface SuccessionLedger {
  readonly identities: Identities;
  logs(): readonly LogSummary[];
  log(logId: LogId): LogSummary | undefined;
}

const registryName = '_registry';
/** Behind the genesis and its seal. */
const firstEvent = 2;

/** With what the store knows of registries; every name of an owner depends on it. Codes: those of the store. */
export async function openOwners(
  ledger: SuccessionLedger & { readonly rows: TableRows },
): Promise<Result<Successions>> {
  const pins = await RegistryPins.load(ledger.rows);
  return pins.ok ? ok(new Successions(ledger, pins.value)) : pins;
}

export class Successions {
  readonly pins: RegistryPins;
  readonly #ledger: SuccessionLedger;
  readonly #terms = new Map<LogId, SuccessionTerms>();

  /** Computes them at once: names and owners depend on them. */
  constructor(ledger: SuccessionLedger, pins: RegistryPins) {
    this.#ledger = ledger;
    this.pins = pins;
    this.refresh();
  }

  get identities(): Identities {
    return this.#ledger.identities;
  }

  /** Our own registry is one that was named: no other can take its place. */
  own(organisation: Did, registry: LogId | undefined): void {
    const root = this.identities.all(organisation).at(-1) ?? organisation;
    if (registry !== undefined) this.pins.set(root, { logId: registry, named: true });
  }

  /** After a registry was closed, or another one counts. */
  refresh(): void {
    this.identities.replace(this.#find());
  }

  /** `organisation.succeeded` counts as the first event of the log whose owner it names, and nowhere else. */
  succeeded(
    { newDid, terms }: SucceededEntry,
    at: EntryPlace | undefined,
  ): Result<never> | undefined {
    const log = at === undefined ? undefined : this.#ledger.log(at.log);
    const opens = log?.genesis?.predecessor !== undefined && at?.index === firstEvent;
    if (log === undefined || !opens || ownerOf(log) !== newDid) {
      return err(
        fault('registry-entry', 'a succession is the first event of the log of the new DID'),
      );
    }
    if (this.#terms.has(log.logId)) return undefined;
    this.#terms.set(log.logId, terms);
    this.refresh();
    return undefined;
  }

  /** Organisations of which two successions are known. */
  findings(): readonly Omit<Check, 'since'>[] {
    return this.identities.list().flatMap((one) => {
      const { reason } = this.#ledger.log(one.registry) ?? {};
      if (reason?.code !== 'successor-fork') return [];
      const { hint } = fault('succession-contested', '');
      const text = `two successions of ${one.from} are known, the first to ${one.to}`;
      const name = `organisation ${one.from}`;
      return [{ name, ok: false, level: 'error', reason: text, hint } as const];
    });
  }

  #find(): readonly Succession[] {
    const own = this.#ledger
      .logs()
      .filter(({ createdLocally, genesis }) => createdLocally && genesis?.name === registryName);
    const firsts = new Set<LogId>(own.map(streamIdOf));
    for (const [, { logId }] of this.pins.entries()) firsts.add(logId);
    return [...firsts].flatMap((first) => this.#along(first));
  }

  /** Along the chain of a registry: wherever the owner changes. */
  #along(first: LogId): Succession[] {
    const found: Succession[] = [];
    const seen = new Set<LogId>();
    let log = this.#ledger.log(first);
    while (log !== undefined && !seen.has(log.logId)) {
      seen.add(log.logId);
      const { closing } = log;
      const next = closing?.whole === true ? this.#ledger.log(closing.next) : undefined;
      const [from, to] = [ownerOf(log), next && ownerOf(next)];
      // A DID that has a registry of its own is another organisation.
      if (to !== undefined && (this.pins.of(to)?.logId ?? first) !== first) return found;
      if (next?.genesis !== undefined && from !== undefined && to !== undefined && from !== to) {
        const terms = this.#terms.get(next.logId);
        const time = asTimeMs(next.genesis.created);
        const places = { registry: log.logId, successor: next.logId, time };
        found.push({ from, to, ...places, ...(terms === undefined ? {} : { terms }) });
      }
      log = next;
    }
    return found;
  }
}

/** As the genesis has it. */
function ownerOf({ genesis, formerOwner }: LogSummary): Did | undefined {
  return formerOwner ?? genesis?.owner;
}
