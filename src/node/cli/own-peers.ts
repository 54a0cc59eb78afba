/** Which of the known peers are ours, and those that were enrolled here and are not there. */
import { enrolledPeers } from '../enrolled.ts';
import { JsonView } from '../json-view.ts';
import type { Context } from './context.ts';

/** The same peers, ours with `own: true`; those that are away come last. */
export async function withOwn(
  context: Context,
  peers: readonly JsonView[],
): Promise<readonly JsonView[]> {
  const home = await context.readHome();
  if (!home.ok) return peers;
  const { organisation } = home.value.identity;
  const marked = peers.map((view) =>
    view.text('organisation') === organisation ? withFields(view, { own: true }) : view,
  );
  const enrolled = await enrolledPeers(context.paths);
  if (!enrolled.ok) return marked;
  const known = new Set(peers.map((view) => view.text('peer')));
  const away = enrolled.value
    .filter((peer) => !known.has(peer))
    .map((peer) => {
      const reason = 'enrolled here; not connected';
      const name = home.value.config.organisation;
      const state = { connected: false, state: 'ok', roles: [], own: true, reason };
      return new JsonView({ peer, organisation, name, ...state });
    });
  return [...marked, ...away];
}

function withFields({ value }: JsonView, fields: Readonly<Record<string, unknown>>): JsonView {
  return new JsonView(
    typeof value === 'object' && value !== null ? { ...value, ...fields } : value,
  );
}
