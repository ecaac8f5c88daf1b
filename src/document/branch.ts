/** Going on from a step of an earlier edit, "Branch here". */
import type { Document, Take } from './document';

/**
 * The document to go on with from a step of this take, 0-based: its settings are those at hand, its square and model the
 * take's. With the take's own settings the rest of it is repeated.
 *
 * @returns null for a take whose steps were not kept, or of another photo
 */
export function branchAt(doc: Document, take: Take, frame: number): Document | null {
  const { photo, square, model } = take.recipe;
  if (!take.frames || doc.photo?.id !== photo.id) return null;
  return { ...doc, square, model, from: { frames: take.frames, frame } };
}
