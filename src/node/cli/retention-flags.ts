/** Flags that say what a stream keeps: of `hw stream create` and `hw stream policy`. */
export const retention: readonly (readonly [string, string])[] = [
  ['--keep <what>', 'all: drop nothing (the default)'],
  ['--max-age <duration>', 'drop the content of events recorded longer ago: 90s, 12h, 30d, 8w'],
  ['--max-bytes <size>', 'drop the oldest content beyond this size: 20MB, 10GiB'],
  ['--below <index>', 'drop the content of entries before this index'],
  ['--compact', 'drop content once a later event has the same subject'],
];
