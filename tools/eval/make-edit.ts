/** From a pair's pictures to its edit: learn, steer, edit; what was learned is kept on disk. */
import { tokenFor } from '../../src/document/concepts';
import { editSteps, methodOf } from '../../src/engine/edit-steps';
import { resize } from '../../src/formats/resize';
import { fromTensor, toTensor } from '../../src/formats/tensor';
import { applyConcept, type Concept } from '../../src/personalization/concept';
import { learn } from '../../src/personalization/learn';
import { conceptOf as conceptIn } from '../../src/personalization/plan';
import { applyFit, type Fit } from '../../src/steering/fit';
import type { SteerOptions } from '../../src/steering/options';
import { fitKey, type SteerRequest, steer } from '../../src/steering/steer';
import type { NdArray } from '../../src/util/nd-array';
import type { Pixels } from '../../src/util/pixels';
import { readStored, writeStored } from './concept-file';
import { conceptOf, type EvalData, type EvalPair, promptOf, tensor } from './data';
import type { Lab } from './lab';
import { openPersonal, type Personal } from './personal';
import type { RunOptions } from './settings';
import { keyOf, type Line, type Run, type Store } from './store';
import { VARIANTS, type Variant } from './variants';

export interface Learned {
  readonly concept: Concept;
  readonly seconds: number;
  /** of its cache file, which holds float32 */
  readonly bytes: number;
  /** growth of the process's peak memory while learning, bytes */
  readonly memory: number;
}

const resizeTensor = async (picture: NdArray, side: number): Promise<NdArray> =>
  toTensor(await resize(fromTensor(picture), side, side));

interface Wanted {
  /** id in the set */
  readonly concept: string;
  /** reference pictures learned from; absent: all */
  readonly references?: number;
}

const referencesOf = (data: EvalData, { concept, references: count }: Wanted): readonly string[] =>
  conceptOf(data, concept).references.slice(0, count);

const picturesOf = (size: number, data: EvalData, wanted: Wanted): Promise<NdArray[]> =>
  Promise.all(referencesOf(data, wanted).map((file) => tensor(data, file, size)));

/** Learn a concept of the set, or read what an earlier call learned from the same pictures with the same options. */
export async function learned(
  lab: Lab,
  data: EvalData,
  store: Store,
  { method, seed, ...wanted }: Pick<Run, 'method' | 'seed'> & Wanted,
  options: RunOptions['learn'],
): Promise<Learned & { readonly key: string }> {
  const { class: classWord, id } = conceptOf(data, wanted.concept);
  const files = referencesOf(data, wanted);
  const key = keyOf([lab.hash, data.set, data.seed, id, files, method, options, seed]);
  const path = store.cachePath('concept', key);
  const stored = await readStored(path);
  if (stored) return { concept: stored.concept, key, ...(stored.about as Omit<Learned, 'concept'>) };
  const pictures = await picturesOf(lab.model.size, data, wanted);
  const token = tokenFor('v', options.vectors, lab.recommended.model.rareWord);
  const request = { method, options, pictures, token, classWord, seed };
  const before = process.resourceUsage().maxRSS;
  const from = performance.now();
  const { state } = await finished(learn(lab.base, request, { resize: resizeTensor, limits: lab.limits }));
  const concept = conceptIn(request, state);
  const seconds = (performance.now() - from) / 1000;
  const memory = (process.resourceUsage().maxRSS - before) * 1024;
  const about = { seconds, bytes: await writeStored(path, { concept, about: {}, extra: [] }), memory };
  await writeStored(path, { concept, about, extra: [] });
  return { concept, key, ...about };
}

/** Steer a concept to the scene of a pair, or read the fit that an earlier call made of the same. */
async function fitted(
  { base, model }: Lab,
  data: EvalData,
  store: Store,
  pair: EvalPair,
  concept: Concept,
  wanted: Wanted,
  options: SteerOptions,
  seed: number,
): Promise<{ readonly fit: Fit; readonly seconds: number }> {
  const request: SteerRequest = {
    concept,
    picture: await tensor(data, pair.source, model.size),
    ...promptsOf(pair, concept),
    options,
    seed,
    references: await picturesOf(model.size, data, wanted),
  };
  const path = store.cachePath('fit', await fitKey(base, request));
  const stored = await readStored(path);
  if (stored) {
    const { seconds, ...about } = stored.about as Pick<Fit, 'parent' | 'key' | 'onTop'> & { seconds: number };
    return { fit: { ...about, delta: stored.concept, guided: stored.extra }, seconds };
  }
  const from = performance.now();
  const fit = await finished(steer(model, request));
  const seconds = (performance.now() - from) / 1000;
  const { delta, guided, ...about } = fit;
  await writeStored(path, { concept: delta, about: { ...about, seconds }, extra: guided });
  return { fit, seconds };
}

const promptsOf = ({ template, sourceClass }: EvalPair, { subject }: Concept) => ({
  sourcePrompt: promptOf(template, sourceClass),
  targetPrompt: promptOf(template, subject),
});

/** Run a job for its result alone. */
async function finished<T>(job: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const next = await job.next();
    if (next.done) return next.value;
  }
}

export interface Edit {
  readonly pixels: Pixels;
  readonly seconds: number;
}

/** Put a concept into the scene of a pair, as the engine does. */
async function edited(
  { model }: Lab,
  data: EvalData,
  pair: EvalPair,
  personal: Personal,
  concept: Concept,
  { method, options, seed }: { method: string; options: RunOptions['edit']; seed: number },
): Promise<Edit> {
  const { sourcePrompt, targetPrompt } = promptsOf(pair, concept);
  const picture = await tensor(data, pair.source, model.size);
  const recipe = { method, options, seed, sourcePrompt, subject: pair.sourceClass, concept };
  const from = performance.now();
  const reference = methodOf(recipe).method.reference === 'frozen' ? model : personal;
  const [source, sourceEmpty, target, empty] = [
    await reference.embed(sourcePrompt),
    await reference.embed(''),
    await personal.embed(targetPrompt),
    await personal.embed(''),
  ];
  const contexts = { source, sourceEmpty, frozenEmpty: await model.embed(''), target, empty };
  const steps = editSteps(
    {
      model,
      personal,
      targetPrompt,
      contexts,
      recipe,
      source: await model.encode(picture),
      paintedMask: null,
    },
    () => false,
  );
  let latent: NdArray | null = null;
  for await (const step of steps) if ('latent' in step) latent = step.latent;
  const pixels = fromTensor(await model.decode(latent!));
  return { pixels, seconds: (performance.now() - from) / 1000 };
}

/** Everything of one run. */
export async function makeEdit(
  lab: Lab,
  data: EvalData,
  store: Store,
  run: Run,
): Promise<{ readonly pixels: Pixels; readonly seconds: Line['seconds'] }> {
  const { edit, references }: Variant = VARIANTS[run.variant];
  const pair = data.pairs.find(({ id }) => id === run.pair)!;
  const { options, seed } = run;
  const wanted: Wanted = { concept: run.concept, ...(references && { references }) };
  const { concept, seconds } = await learned(
    lab,
    data,
    store,
    { method: run.method, seed, ...wanted },
    options.learn,
  );
  const steered =
    options.steer && (await fitted(lab, data, store, pair, concept, wanted, options.steer, seed));
  const personal = openPersonal(
    lab,
    steered ? applyFit(lab.base, concept, steered.fit) : applyConcept(lab.base, concept),
  );
  try {
    const made = await edited(lab, data, pair, personal, concept, {
      method: edit,
      options: options.edit,
      seed,
    });
    return {
      pixels: made.pixels,
      seconds: { learn: seconds, steer: steered?.seconds ?? 0, edit: made.seconds },
    };
  } finally {
    await personal.dispose();
  }
}
