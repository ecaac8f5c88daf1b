import {
  restoreConcept,
  restoreConceptRef,
  restoreFit,
  restoreFitRef,
  restoreFitSettings,
  restoreUnfinishedFit,
} from './concept-migrations';
import { type Document, emptyDocument, type FrameRef, type Recipe, type Take } from './document';
import {
  blobId,
  fail,
  image,
  integer,
  type Json,
  list,
  maxSide,
  options,
  record,
  square,
  text,
  textOrNull,
} from './fields';
import { defaultSquare } from './square';

/** From version n to n + 1, without gaps. A new version adds one row and one fixture in the test. */
const migrations: readonly ((old: Json) => Json)[] = [];

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
    concept: it.concept == null ? null : restoreConceptRef(it.concept),
    ...(it.fit != null && { fit: restoreFitRef(it.fit) }),
    ...(it.from != null && { from: frameRef(it.from) }),
  };
}

function frameRef(value: unknown): FrameRef {
  const { frames, frame } = record(value, 'the step to go on from');
  return {
    frames: blobId(frames, 'the steps of the other edit'),
    frame: integer(frame, 0, 1_000_000, 'the step to go on from'),
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
    ...(it.frames != null && { frames: blobId(it.frames, 'the steps of a take') }),
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
  const takes = list(it.takes, take, 'the takes');
  const concepts = list(it.concepts, restoreConcept, 'the concepts');
  const concept = textOrNull(it.concept, 'the concept in use');
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
    concepts,
    concept: concepts.some(({ id }) => id === concept) ? concept : null,
    fits: list(it.fits, restoreFit, 'the fits'),
    fitting: restoreFitSettings(it.fitting),
    likeness: integer(it.likeness ?? emptyDocument.likeness, 0, 100, 'the likeness'),
    unfinishedFit: it.unfinishedFit == null ? null : restoreUnfinishedFit(it.unfinishedFit),
    ...(it.from != null && { from: frameRef(it.from) }),
    takes,
    shown: takes.some(({ id }) => id === shown) ? shown : null,
  };
}
