import { AppError } from '../util/errors';

/** Origin storage in bytes; null where the platform does not say. */
async function storageUse(): Promise<{ readonly quota: number; readonly used: number } | null> {
  const { quota, usage } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
  return quota === undefined ? null : { quota, used: usage ?? 0 };
}

/**
 * Asks the browser not to evict what is stored here. Chrome and Safari decide silently, Firefox asks the person, so
 * call it after the first real work.
 *
 * @returns whether storage is persistent now
 */
export async function requestPersistence(): Promise<boolean> {
  if (await navigator.storage?.persisted?.()) return true;
  return (await navigator.storage?.persist?.()) ?? false;
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

/** Refuse what the browser will not take, before anything of it is written. @throws AppError STORAGE_FULL */
export async function checkRoom(needed: number): Promise<void> {
  const use = await storageUse();
  if (use && use.used + needed > use.quota) throw noRoom(needed, use);
}

/** A full disk or quota as AppError STORAGE_FULL with the figures; any other error as it is. */
export async function storageFull(error: unknown, needed: number): Promise<unknown> {
  if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') return error;
  return noRoom(needed, await storageUse());
}

function noRoom(needed: number, use: Awaited<ReturnType<typeof storageUse>>): AppError {
  const allowed = use ? `; the browser allows ${gigabytes(use.quota)}, ${gigabytes(use.used)} in use` : '';
  return new AppError('STORAGE_FULL', `no room to store ${gigabytes(needed)}${allowed}`, { needed, ...use });
}
