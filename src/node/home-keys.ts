/** The keys of a home: made once by `hw init`, opened by `hw up`. */
import type { Result } from '../result.ts';
import type { HomeKeys, HomePaths, Identity } from './home.ts';

export declare function openHomeKeys(
  paths: HomePaths,
  identity: Identity,
  passphrase: (() => Promise<Result<string>>) | undefined,
): Promise<Result<HomeKeys>>;
