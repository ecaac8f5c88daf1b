import { targetAsRead } from '../document/concepts';
import type { Document, Recipe } from '../document/document';
import type { LookResult } from '../engine/events';
import { methodOf, recipeNow } from './edits';
import type { Session } from './session-store';
import { engine } from './workers';

/** How much noise the looks are taken through, by name: timesteps of the usual thousand; all of it is the engine's default. */
export const noiseLevels = {
  all: null,
  low: [100, 200, 300],
  middle: [400, 500, 600],
  high: [700, 800, 900],
} as const satisfies Readonly<Record<string, readonly number[] | null>>;

export type NoiseLevel = keyof typeof noiseLevels;

/** What there is to look at now; null when there is no photo or description yet, or the engine is not ready. */
export function lookedAt(doc: Document, now: Session): Recipe | null {
  const method = methodOf(doc, now);
  if (!doc.photo || !doc.sourcePrompt.trim() || !method || now.edit || now.engine !== 'ready') return null;
  const recipe = recipeNow(doc, doc.photo, method);
  // a concept without its place yet is no reason not to look at the rest
  return targetAsRead(doc) === null ? { ...recipe, targetPrompt: '' } : recipe;
}

/**
 * Where the words of both descriptions are attended to.
 *
 * @param progress  told the part done, in [0,1]
 * @throws AbortError; AppError as the engine's `look`
 */
export async function lookAtWords(
  recipe: Recipe,
  noise: NoiseLevel,
  signal: AbortSignal,
  progress: (part: number) => void,
): Promise<LookResult> {
  const timesteps = noiseLevels[noise];
  const request = { recipe, ...(timesteps && { timesteps }) };
  let result: LookResult | null = null;
  for await (const event of engine.run((api) => api.look(request), signal)) {
    if (event.kind === 'result') result = event.value;
    else if (event.kind === 'stage' && event.name === 'look') progress(event.fraction ?? 0);
  }
  if (!result) throw new DOMException('no result', 'AbortError');
  return result;
}
