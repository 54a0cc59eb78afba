/**
 * What the operator decided and must outlive a restart: what is followed, paused and banned. One
 * small JSON file in the home, replaced as a whole; the journal says who decided it and why.
 */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { exists, readText, replaceFile } from '../files.ts';

const Texts = Type.Array(Type.String({ maxLength: 256 }), { maxItems: limits.maxControlEntries });
const Schema = Type.Object(
  {
    version: Type.Literal(1),
    /** Streams and organisations, in the form that does not depend on aliases. */
    follow: Texts,
    pausedStreams: Texts,
    pausedPeers: Texts,
    banned: Texts,
    /** Static trees: the stream's id, a space, the URL. */
    followUrls: Type.Optional(
      Type.Array(Type.String({ maxLength: 4096 }), { maxItems: limits.maxUrlFollows }),
    ),
  },
  { additionalProperties: false },
);
export type ControlList = 'follow' | 'pausedStreams' | 'pausedPeers' | 'banned' | 'followUrls';

export class ControlState {
  readonly #file: string;
  readonly #lists: Record<ControlList, Set<string>>;
  #saving: Promise<unknown> = Promise.resolve();

  private constructor(file: string, lists: Record<ControlList, Set<string>>) {
    this.#file = file;
    this.#lists = lists;
  }

  /** `home-damaged` where the file is not what we wrote; a missing one is empty. */
  static async load(file: string): Promise<Result<ControlState>> {
    if (!(await exists(file))) return ok(new ControlState(file, sets({})));
    const text = await readText(file);
    if (!text.ok) return text;
    try {
      const parsed: unknown = JSON.parse(text.value);
      if (Value.Check(Schema, parsed)) return ok(new ControlState(file, sets(parsed)));
    } catch {
      // Not JSON: refused below like any other shape.
    }
    return err(fault('home-damaged', 'the control state is not readable', { file }));
  }

  has(list: ControlList, entry: string): boolean {
    return this.#lists[list].has(entry);
  }
  all(list: ControlList): readonly string[] {
    return [...this.#lists[list]];
  }

  /** Sets or clears an entry and writes the file; `control-full` at the limit. */
  async set(list: ControlList, entry: string, present: boolean): Promise<Result<void>> {
    const set = this.#lists[list];
    const most = list === 'followUrls' ? limits.maxUrlFollows : limits.maxControlEntries;
    if (present && !set.has(entry) && set.size >= most) {
      return err(fault('control-full', `more than ${most} entries`));
    }
    if (present) set.add(entry);
    else set.delete(entry);
    const saved = this.#saving.then(() => replaceFile(this.#file, this.#text(), 0o600));
    this.#saving = saved;
    return saved;
  }

  #text(): string {
    const { follow, pausedStreams, pausedPeers, banned, followUrls } = this.#lists;
    const lists = {
      follow: [...follow],
      pausedStreams: [...pausedStreams],
      pausedPeers: [...pausedPeers],
      banned: [...banned],
      ...(followUrls.size === 0 ? {} : { followUrls: [...followUrls] }),
    };
    return `${JSON.stringify({ version: 1, ...lists }, null, 2)}\n`;
  }
}

function sets(
  from: Readonly<Partial<Record<ControlList, readonly string[]>>>,
): Record<ControlList, Set<string>> {
  return {
    follow: new Set(from.follow),
    pausedStreams: new Set(from.pausedStreams),
    pausedPeers: new Set(from.pausedPeers),
    banned: new Set(from.banned),
    followUrls: new Set(from.followUrls),
  };
}
