/** The pages of docs/reference: all of them, and their text. */
import { access } from './access.ts';
import { commands } from './commands.ts';
import { config } from './config.ts';
import { errors } from './errors.ts';
import { formats } from './formats.ts';
import { http } from './http.ts';
import { keyspace } from './keyspace.ts';
import { limits } from './limits.ts';
import { hasSource, type Page } from './markdown.ts';

export const pages: readonly Page[] = [
  access,
  errors,
  limits,
  keyspace,
  config,
  http,
  commands,
  formats,
];

/** Made by a run that takes minutes: scripts/mutate-access.ts. */
export const madeElsewhere: ReadonlySet<string> = new Set(['access-mutations.md']);

/** Text of every page by file name. A page whose source is gone is an error, never left out. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const made = new Map<string, string>();
  for (const page of pages) {
    const missing = page.sources.filter((path) => !hasSource(path));
    if (missing.length > 0) throw new Error(`${page.name}: no ${missing.join(', ')}`);
    const text = await page.make();
    made.set(`${page.name}.md`, `# ${page.title}\n\n${origin(page)}\n\n${text.trim()}\n`);
  }
  return made;
}

function origin({ sources }: Page): string {
  const [first = ''] = sources;
  const more = sources.length > 1 ? ' and others' : '';
  return `<!-- Made by \`npm run docs\` from ${first}${more}: change that, not this. -->`;
}
