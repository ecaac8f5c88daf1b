import { chooseConcept, putConcept, recipeOf } from '../../src/document/actions';
import { importedConcept } from '../../src/document/concept-edits';
import { conceptInUse, conceptPrompt } from '../../src/document/concepts';
import { type Document, emptyDocument, type ImageRef } from '../../src/document/document';
import { editDefaults } from '../../src/document/likeness';
import { defaultSquare } from '../../src/document/square';
import { createLocalEngine, type LocalEngine } from '../../src/engine/engine';
import type { EditEvent, EditResult, FitEvent, JobEvent, LookResult } from '../../src/engine/events';
import type { EngineHost } from '../../src/engine/host';
import { readConcept } from '../../src/formats/concept';
import { learnedFrom } from '../../src/formats/concept-learned';
import { unwrapped } from '../../src/formats/concept-zip';
import { checkSquare } from '../../src/formats/crop';
import { readConceptBase } from '../../src/formats/model-folder';
import type { BackendName } from '../../src/runtime/capabilities';
import { bytesSource } from '../../src/util/byte-source';
import { AppError } from '../../src/util/errors';
import type { Pixels } from '../../src/util/pixels';
import { promptDiff } from '../../src/util/prompt-diff';
import { type FitInput, type FitOutput, withFit } from './fit';

export interface EditInput {
  readonly photo: Pixels;
  readonly photoName: string;
  /** painted, over the whole photo; white = edit */
  readonly mask: Pixels | null;
  readonly model: string;
  /** a concept file of any layout; null: words alone */
  readonly concept?: { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> } | null;
  /** null: the concept as it was learned */
  readonly fit?: FitInput | null;
  readonly edit: Pick<
    Document,
    'sourcePrompt' | 'targetPrompt' | 'subject' | 'method' | 'seed' | 'options' | 'square'
  >;
  /** also look where the words are attended to */
  readonly attention?: boolean;
  /** also decode what each step subtracted */
  readonly directions?: boolean;
}

export interface EditOutput {
  /** where the networks ran */
  readonly backend: BackendName;
  readonly result: EditResult;
  readonly edited: Pixels;
  readonly reconstruction: Pixels;
  readonly mask: Pixels | null;
  /** null: the concept was not fitted */
  readonly fit: FitOutput | null;
  /** ms from the start of the edit to its first picture */
  readonly firstPreview: number | null;
  /** null: not asked for */
  readonly attention: LookResult | null;
  /** one per step; zero, no change, is the decoder's neutral brown. Empty: not asked for */
  readonly directions: readonly Pixels[];
}

/** What the command line sees of a run. */
export type EditNews = EditEvent | { readonly kind: 'fit'; readonly event: FitEvent };

/**
 * Run an edit exactly as the page would: the same document, recipe and engine. DOM-free: runs in Node and, for the
 * browser backends, in a page.
 *
 * @param watch  sees every event, e.g. to keep previews
 */
export async function runEdit(
  host: EngineHost,
  input: EditInput,
  watch: (event: EditNews) => void = () => {},
): Promise<EditOutput> {
  const engine = createLocalEngine(host);
  try {
    const photo = await host.writeImage(input.photo, input.photoName);
    const mask: ImageRef | null = input.mask && (await host.writeImage(input.mask, 'mask'));
    const square = input.edit.square ?? defaultSquare(photo);
    checkSquare(input.photo, square);
    const words = { ...emptyDocument, ...input.edit, photo, mask, square, model: input.model };
    const plain = input.concept ? await withConcept(host, words, input.concept) : words;
    const { methods, capabilities } = await engine.info(plain.model);
    const method = methods.find(({ name }) => name === plain.method);
    if (!method) {
      throw new AppError(
        'BAD_REQUEST',
        `there is no edit "${plain.method}"; try ${methods.map((m) => m.name).join(', ')}`,
      );
    }
    const unknown = Object.keys(plain.options).find((name) => !(name in method.defaults));
    if (unknown) throw new AppError('BAD_REQUEST', `${plain.method} has no option "${unknown}"`);
    const subject = subjectOf(plain);
    const frame = { ...plain, photo, square };
    const seen = (event: FitEvent): void => watch({ kind: 'fit', event });
    const fit = input.fit ? await withFit(host, engine, frame, subject, input.fit, seen) : null;
    const recipe = recipeOf(plain, photo, editDefaults(plain, method), subject, fit?.result.fit);
    const { signal } = new AbortController();
    const record = { directions: input.directions ?? false };
    const started = performance.now();
    let firstPreview: number | null = null;
    const result = await resultOf(engine.edit({ recipe, record }, signal), (event: EditEvent) => {
      if (event.kind === 'preview') firstPreview ??= performance.now() - started;
      watch(event);
    });
    return {
      backend: capabilities.backend,
      result,
      edited: await host.readImage(result.square.id),
      reconstruction: await host.readImage(result.reconstruction.id),
      mask: result.mask && (await host.readImage(result.mask.id)),
      fit,
      firstPreview,
      attention: input.attention ? await resultOf(engine.look({ recipe }, signal)) : null,
      directions: await directionsOf(engine, result),
    };
  } finally {
    await engine.dispose();
  }
}

async function resultOf<R>(
  job: AsyncGenerator<JobEvent<R>, void>,
  watch: (event: JobEvent<R>) => void = () => {},
): Promise<R> {
  for await (const event of job) {
    watch(event);
    if (event.kind === 'result') return event.value;
  }
  throw new Error('the engine ended without a result');
}

async function directionsOf(engine: LocalEngine, { recipe, frames, steps }: EditResult): Promise<Pixels[]> {
  const pictures: Pixels[] = [];
  for (let frame = 0; frames && frame < steps; frame++) {
    const decoded = await engine.decodeFrame({ model: recipe.model, frames, frame, of: 'direction' });
    pictures.push(decoded.pixels);
  }
  return pictures;
}

/** The document with the concept of a file in use. @throws AppError UNSUPPORTED_MODEL when it was made for another base */
async function withConcept(
  host: EngineHost,
  doc: Document,
  given: NonNullable<EditInput['concept']>,
): Promise<Document> {
  // a file of one's own, read whole: it bounds what a zip may hold
  const { name, bytes } = unwrapped(given, 2 * given.bytes.length);
  const base = await readConceptBase(await host.openModel(doc.model));
  const file = await readConcept(bytesSource(name, bytes), base);
  const stem = name.replace(/\.[^.]+$/, '');
  const learned = learnedFrom(file, await host.writeBytes(bytes), stem, base);
  const concept = importedConcept(learned.id, learned);
  return chooseConcept(putConcept(doc, concept), concept.id);
}

/** Words of the source prompt that are replaced: as said, else what differs once the concept's words are in place. */
function subjectOf(doc: Document): string | null {
  const { subject, sourcePrompt, targetPrompt } = doc;
  const learned = conceptInUse(doc)?.learned;
  const target = (learned && conceptPrompt(doc, learned)) ?? targetPrompt;
  return subject ?? promptDiff(sourcePrompt, target).subject;
}
