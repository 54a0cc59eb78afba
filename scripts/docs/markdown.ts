/** Small pieces of Markdown, and the source text that pages are made from. */
import { existsSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** One page of docs/reference. `make` gives its text without the heading line of origin. */
export interface Page {
  /** File name without `.md`. */
  readonly name: string;
  readonly title: string;
  /** Paths from the root that it is made from; the first one must exist for the page to be made. */
  readonly sources: readonly string[];
  make(): string | Promise<string>;
}

export function hasSource(path: string): boolean {
  return existsSync(new URL(path, root));
}

export function readSource(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

/** A Markdown table; cells are Markdown already, but for bars and line ends. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  return [tableLine(header), tableLine(header.map(() => '---')), ...rows.map(tableLine)];
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.map((text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

/** A code span. */
export function code(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** Prose whose code spans stay as they are; what else Markdown or HTML would read is escaped. */
export function prose(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part, i) =>
      i % 2 === 1 ? part : part.replaceAll(/[<*]/g, (sign) => escapes[sign] ?? ''),
    )
    .join('');
}
const escapes: Readonly<Record<string, string>> = { '<': '&lt;', '*': '\\*' };

/** Text with a full stop at its end. */
export function sentence(text: string): string {
  return text === '' || /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The comment that a file opens with, without its stars; empty where it has none. */
export function openingComment(text: string): string {
  const found = /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? '';
  return withoutStars(found);
}

/** The inside of a doc comment as plain lines. */
function withoutStars(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

/**
 * A comment as Markdown: what is indented by two spaces or more is drawn as it stands, the rest is
 * prose.
 */
export function commentToMarkdown(comment: string): readonly string[] {
  const out: string[] = [];
  let drawing: string[] = [];
  const endDrawing = (): void => {
    if (drawing.length === 0) return;
    let blanks = 0;
    while (drawing.at(-1) === '') {
      drawing.pop();
      blanks += 1;
    }
    out.push('```text', ...unindented(drawing), '```', ...(blanks > 0 ? [''] : []));
    drawing = [];
  };
  for (const line of comment.split('\n')) {
    if (/^ {2}/.test(line)) drawing.push(line);
    else if (line === '' && drawing.length > 0) drawing.push('');
    else {
      endDrawing();
      out.push(prose(line));
    }
  }
  endDrawing();
  return out;
}

function unindented(lines: readonly string[]): readonly string[] {
  const indents = lines.filter((line) => line !== '').map((line) => line.search(/\S/));
  const common = Math.min(...indents);
  return lines.map((line) => line.slice(common));
}

export interface Declared {
  readonly name: string;
  /** The doc comment above it; of the nearest one above where several share it. */
  readonly comment: string;
  /** The last `// …` line above it. */
  readonly section: string;
}

/**
 * The members of `export const <name> = {` in the text of a source file, which prettier has laid
 * out: members begin at two spaces. What is said above a member holds for those below it, until the
 * next comment.
 */
export function declaredMembers(text: string, name: string): readonly Declared[] {
  const start = new RegExp(`^export const ${name}\\b[^{]*= \\{$`, 'm').exec(text);
  if (start === null) throw new Error(`no object ${name} in the source`);
  const rest = text.slice(start.index + start[0].length);
  const body = rest.slice(0, rest.search(/^\}/m));
  const members = new Map<string, Declared>();
  const pattern = /^ {2}\/\*\*([\s\S]*?)\*\/|^ {2}\/\/ (.*)$|^ {2}(?:'([^']+)'|([A-Za-z]\w*)):/gm;
  let comment = '';
  let section = '';
  for (const match of body.matchAll(pattern)) {
    if (match[1] !== undefined) comment = withoutStars(match[1]).replaceAll('\n', ' ');
    else if (match[2] !== undefined) section = match[2];
    else {
      const member = match[3] ?? match[4] ?? '';
      members.set(member, { name: member, comment, section });
    }
  }
  return [...members.values()];
}
