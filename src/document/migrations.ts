import { AppError } from '../util/errors';
import {
  type Document,
  emptyDocument,
  type ImageRef,
  type OptionValue,
  type Recipe,
  type Square,
  type Take,
} from './document';
import { clampSquare, defaultSquare } from './square';

type Json = Record<string, unknown>;

/** From version n to n + 1, without gaps. A new version adds one row and one fixture in the test. */
const migrations: readonly ((old: Json) => Json)[] = [];

/** Bounds on what a stored file may claim, far above real use. */
const maxSide = 100_000; // px; browsers refuse canvases well below
const maxTakes = 10_000;
const maxText = 10_000; // characters of a prompt

const fail = (what: string): never => {
  throw new AppError('BAD_FILE', `This is not a project of this program: ${what}.`);
};
const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const record = (value: unknown, what: string): Json => (isRecord(value) ? value : fail(`${what} is missing`));
const text = (value: unknown, what: string): string =>
  typeof value === 'string' && value.length <= maxText ? value : fail(`${what} is not text`);
const textOrNull = (value: unknown, what: string): string | null =>
  value == null ? null : text(value, what);
const integer = (value: unknown, low: number, high: number, what: string): number =>
  Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high
    ? (value as number)
    : fail(`${what} is not a whole number from ${low} to ${high}`);
/** Numbers, words and switches only; anything else is left out. */
const options = (value: unknown): Record<string, OptionValue> =>
  Object.fromEntries(
    Object.entries(isRecord(value) ? value : {}).filter(
      (entry): entry is [string, OptionValue] =>
        typeof entry[1] === 'string' || typeof entry[1] === 'boolean' || Number.isFinite(entry[1]),
    ),
  );
const blobId = (value: unknown, what: string): string =>
  typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : fail(`${what} is not a content id`);

function image(value: unknown, what: string): ImageRef {
  const { id, name, width, height } = record(value, what);
  return {
    id: blobId(id, `${what}.id`),
    name: text(name ?? '', `${what}.name`),
    width: integer(width, 1, maxSide, `${what}.width`),
    height: integer(height, 1, maxSide, `${what}.height`),
  };
}

function square(value: unknown, photo: { width: number; height: number }, what: string): Square {
  const { x, y, size } = record(value, what);
  const read = (n: unknown): number => (Number.isFinite(n) ? (n as number) : fail(`${what} is not a square`));
  return clampSquare({ x: read(x), y: read(y), size: read(size) }, photo);
}

/**
 * A recipe from anywhere (a project, a PNG someone sent), checked field by field.
 *
 * @throws AppError BAD_FILE
 */
export function restoreRecipe(value: unknown): Recipe {
  const it = record(value, 'the recipe');
  if (it.app !== 'DreamSteerer Studio') fail('the recipe is of another program');
  if (it.version !== 1) fail(`the recipe has version ${String(it.version)}; this program knows 1`);
  const shape = record(it.photo, 'the photo of the recipe');
  const photo = {
    id: blobId(shape.id, 'the photo'),
    width: integer(shape.width, 1, maxSide, 'the photo width'),
    height: integer(shape.height, 1, maxSide, 'the photo height'),
  };
  return {
    app: 'DreamSteerer Studio',
    version: 1,
    model: text(it.model, 'the model'),
    method: text(it.method, 'the method'),
    sourcePrompt: text(it.sourcePrompt, 'the source prompt'),
    targetPrompt: text(it.targetPrompt, 'the target prompt'),
    subject: textOrNull(it.subject, 'the subject'),
    seed: integer(it.seed, 0, Number.MAX_SAFE_INTEGER, 'the seed'),
    options: options(it.options),
    photo,
    square: square(it.square, photo, 'the square'),
    mask: it.mask == null ? null : blobId(it.mask, 'the mask'),
  };
}

function take(value: unknown): Take {
  const it = record(value, 'a take');
  return {
    id: text(it.id, 'the id of a take'),
    recipe: restoreRecipe(it.recipe),
    square: image(it.square, 'the picture of a take'),
    reconstruction: image(it.reconstruction, 'the unedited picture of a take'),
    maskUsed: it.maskUsed == null ? null : image(it.maskUsed, 'the mask of a take'),
    steps: integer(it.steps, 0, 1_000_000, 'the steps of a take'),
    stopped: it.stopped === true,
  };
}

/**
 * A document from whatever was stored: older versions are migrated, missing fields take their defaults, and nothing
 * that is not a document gets through.
 *
 * @throws AppError BAD_FILE
 */
export function restore(value: unknown): Document {
  let it = record(value, 'the project');
  const version = integer(it.version, 1, emptyDocument.version, 'the version');
  for (const migrate of migrations.slice(version - 1)) it = migrate(it);

  const photo = it.photo == null ? null : image(it.photo, 'the photo');
  const stored = it.takes ?? [];
  if (!Array.isArray(stored) || stored.length > maxTakes) fail('the takes are not a list');
  const takes = (stored as unknown[]).map(take);
  const shown = textOrNull(it.shown, 'the shown take');
  return {
    version: 1,
    photo,
    square: photo && (it.square == null ? defaultSquare(photo) : square(it.square, photo, 'the square')),
    mask: photo && it.mask != null ? image(it.mask, 'the mask') : null,
    sourcePrompt: text(it.sourcePrompt ?? emptyDocument.sourcePrompt, 'the source prompt'),
    targetPrompt: text(it.targetPrompt ?? emptyDocument.targetPrompt, 'the target prompt'),
    subject: textOrNull(it.subject, 'the subject'),
    method: text(it.method ?? emptyDocument.method, 'the method'),
    seed: integer(it.seed ?? emptyDocument.seed, 0, Number.MAX_SAFE_INTEGER, 'the seed'),
    options: options(it.options),
    model: text(it.model ?? emptyDocument.model, 'the model'),
    takes,
    shown: takes.some(({ id }) => id === shown) ? shown : null,
  };
}
