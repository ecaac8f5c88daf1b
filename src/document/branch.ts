/** Going on from a step of an earlier edit, "Branch here". */
import { applyRecipe } from './actions';
import type { Document, Take } from './document';

/**
 * The next edit goes on from a step of this take, 0-based, with the take's settings, which may then be changed: with
 * none changed it repeats the rest of the take. A take whose steps were not kept changes nothing.
 */
export function branchAt(doc: Document, take: Take, frame: number): Document {
  if (!take.frames) return doc;
  const mask = doc.mask && doc.mask.id === take.recipe.mask ? doc.mask : null;
  return { ...applyRecipe(doc, take.recipe, mask), from: { frames: take.frames, frame } };
}
