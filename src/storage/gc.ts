import type { BlobId } from '../document/document';
import type { BlobStore } from './blobs';

/**
 * Deletes blobs that nothing reaches any more. Run it when a project is opened, never during a session: undo must
 * always find its pixels.
 *
 * @param reachable ids in every saved document
 * @returns ids that were deleted
 */
export async function collectGarbage(store: BlobStore, reachable: ReadonlySet<BlobId>): Promise<BlobId[]> {
  await store.sweep();
  const dead = (await store.list()).filter((id) => !reachable.has(id));
  for (const id of dead) await store.delete(id);
  return dead;
}

/** Every content id in a document (or any plain JSON): ids are recognised by form, so new fields cannot be missed. */
export function reachableBlobs(value: unknown, found: Set<BlobId> = new Set()): Set<BlobId> {
  if (typeof value === 'string') {
    if (/^[0-9a-f]{64}$/.test(value)) found.add(value);
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) reachableBlobs(part, found);
  }
  return found;
}
