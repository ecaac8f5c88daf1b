/** The fit that an edit begins with. */
import { conceptInUse, promptWith } from '../../src/document/concepts';
import type { Document, FittedConcept, ImageRef, LearnedConcept, Square } from '../../src/document/document';
import type { LocalEngine } from '../../src/engine/engine';
import type { FitEvent, FitRequest, FitResult } from '../../src/engine/events';
import type { EngineHost } from '../../src/engine/host';
import { readFit } from '../../src/formats/fit-file';
import { readConceptBase } from '../../src/formats/model-folder';
import { bareToken } from '../../src/formats/textual-inversion';
import { bytesSource } from '../../src/util/byte-source';
import { AppError } from '../../src/util/errors';
import type { Pixels } from '../../src/util/pixels';
import { type NamedPicture, storedPictures } from '../stored-pictures';

export interface FitInput {
  /** what differs from the model's own */
  readonly options: FitRequest['options'];
  /** what the concept was learned from; none: unknown */
  readonly references: readonly NamedPicture[];
  /** a fit made before of the same; null: none */
  readonly file: { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> } | null;
}

export interface FitOutput {
  readonly result: FitResult;
  /** the fit's file */
  readonly bytes: Uint8Array;
  /** the guided samples; none when the fit was taken from a file */
  readonly samples: readonly Pixels[];
  /** metrics of every step */
  readonly log: readonly Readonly<Record<string, number>>[];
  /** ms to the first picture */
  readonly firstPreview: number | null;
}

/**
 * Fit the concept of a document to its photo as the page would.
 *
 * @throws AppError BAD_REQUEST when the file holds a fit of something else, which is left as it is
 */
export async function withFit(
  host: EngineHost,
  engine: LocalEngine,
  doc: Document & { readonly photo: ImageRef; readonly square: Square },
  subject: string | null,
  { options, file, references }: FitInput,
  watch: (event: FitEvent) => void,
): Promise<FitOutput> {
  const inUse = conceptInUse(doc)?.learned;
  if (!inUse) throw new AppError('BAD_REQUEST', 'there is no concept to fit');
  const learned = { ...inUse, pictures: await storedPictures(host, references) };
  const { model, photo, square, seed } = doc;
  const [sourcePrompt, targetPrompt] = [doc.sourcePrompt.trim(), doc.targetPrompt.trim()];
  const prompts = { sourcePrompt, targetPrompt, subject };
  const { defaults } = (await engine.info(model)).fitOptions;
  const complete = { ...(defaults[learned.method] ?? defaults['']), ...options };
  const known = file && { ...(await fitOf(host, file, { ...doc, ...prompts }, learned)), options: complete };
  const request: FitRequest = {
    model,
    concept: learned,
    photo: { id: photo.id, square },
    ...prompts,
    options,
    seed,
    resume: null,
    ...(known && { known: [known] }),
  };
  const started = performance.now();
  const log: Readonly<Record<string, number>>[] = [];
  let firstPreview: number | null = null;
  for await (const event of engine.fit(request, new AbortController().signal)) {
    watch(event);
    if (event.kind === 'stage' && event.name !== 'load' && file) {
      throw new AppError('BAD_REQUEST', `${file.name} is the fit of something else: name another file`);
    }
    if (event.kind === 'preview') firstPreview ??= performance.now() - started;
    if (event.kind === 'step') log.push(event.metrics ?? {});
    if (event.kind !== 'result') continue;
    const { fit } = event.value;
    const samples = await Promise.all(fit.samples.map(({ id }) => host.readImage(id)));
    const bytes = await host.readBytes(fit.id);
    return { result: event.value, bytes, samples, log, firstPreview };
  }
  throw new Error('the engine ended without a fit');
}

/** A fit of this document as a file holds it; whether it is the one asked for its key tells. */
async function fitOf(
  host: EngineHost,
  { name, bytes }: NonNullable<FitInput['file']>,
  doc: Document & { readonly photo: ImageRef; readonly square: Square },
  learned: LearnedConcept,
): Promise<Omit<FittedConcept, 'options'>> {
  const base = await readConceptBase(await host.openModel(doc.model));
  const source = bytesSource(`${bareToken(learned.token) || learned.name}.safetensors`, bytes);
  const { key, steps } = await readFit(source, base).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${name}: ${error.message}`);
  });
  return {
    id: await host.writeBytes(bytes),
    key,
    concept: learned.id,
    model: doc.model,
    photo: doc.photo.id,
    square: doc.square,
    sourcePrompt: doc.sourcePrompt,
    targetPrompt: promptWith(learned, doc),
    seed: doc.seed,
    steps,
    samples: [],
  };
}
