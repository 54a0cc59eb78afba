/**
 * What gossip needs of the room that knows how fresh registries are (access.md "Freshness"). A line is
 * a signed checkpoint of a registry with one cosignature/v1 by its freshness key or one of its witnesses.
 */
import type { Result } from '../result.ts';
import type { Did, LogId } from '../types.ts';

/** A registry, and the time that the newest line known of it states; 0: none. */
export interface FreshSeconds {
  readonly logId: LogId;
  readonly seconds: number;
}

export interface FreshLine extends FreshSeconds {
  /** Signed checkpoint with the line. */
  readonly note: string;
}

export interface FreshnessPort {
  /** Registries to ask for, at most `max`, the most urgent first. */
  wanted(max: number): readonly FreshSeconds[];
  /** The owner of a registry that we need a newer line of soon: its peers are asked first. */
  urgent(): Did | undefined;
  /** The newest line that may be passed on; where this node can make one it does, now and then. */
  newest(logId: LogId): Promise<FreshLine | undefined>;
  /** Verifies a line and keeps it where it is newer. */
  offer(logId: LogId, note: string): Promise<Result<void>>;
}
