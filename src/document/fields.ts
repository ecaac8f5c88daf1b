/** Readers of stored plain data, field by field: what is not as expected is refused by name. */
import { AppError } from '../util/errors';
import type { ImageRef, OptionValue, Square } from './document';
import { clampSquare } from './square';

export type Json = Record<string, unknown>;

/** Bounds on what a stored file may claim, far above real use. */
export const maxSide = 100_000; // px; browsers refuse canvases well below
const maxItems = 10_000; // in one list
const maxText = 10_000; // characters of a prompt

export const fail = (what: string): never => {
  throw new AppError('BAD_FILE', `This is not a project of this program: ${what}.`);
};
const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const record = (value: unknown, what: string): Json =>
  isRecord(value) ? value : fail(`${what} is missing`);
export const text = (value: unknown, what: string): string =>
  typeof value === 'string' && value.length <= maxText ? value : fail(`${what} is not text`);
export const textOrNull = (value: unknown, what: string): string | null =>
  value == null ? null : text(value, what);
export const integer = (value: unknown, low: number, high: number, what: string): number =>
  Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high
    ? (value as number)
    : fail(`${what} is not a whole number from ${low} to ${high}`);
/** @param read  of one item */
export function list<T>(value: unknown, read: (item: unknown) => T, what: string): T[] {
  const items = value ?? [];
  if (!Array.isArray(items) || items.length > maxItems) fail(`${what} are not a list`);
  return (items as unknown[]).map(read);
}
/** Numbers, words and switches only; anything else is left out. */
export const options = (value: unknown): Record<string, OptionValue> =>
  Object.fromEntries(
    Object.entries(isRecord(value) ? value : {}).filter(
      (entry): entry is [string, OptionValue] =>
        typeof entry[1] === 'string' || typeof entry[1] === 'boolean' || Number.isFinite(entry[1]),
    ),
  );
export const blobId = (value: unknown, what: string): string =>
  typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : fail(`${what} is not a content id`);

export function image(value: unknown, what: string): ImageRef {
  const { id, name, width, height } = record(value, what);
  return {
    id: blobId(id, `${what}.id`),
    name: text(name ?? '', `${what}.name`),
    width: integer(width, 1, maxSide, `${what}.width`),
    height: integer(height, 1, maxSide, `${what}.height`),
  };
}

export function square(value: unknown, photo: { width: number; height: number }, what: string): Square {
  const { x, y, size } = record(value, what);
  const read = (n: unknown): number => (Number.isFinite(n) ? (n as number) : fail(`${what} is not a square`));
  return clampSquare({ x: read(x), y: read(y), size: read(size) }, photo);
}
