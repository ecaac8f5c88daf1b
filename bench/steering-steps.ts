import { createModel, type DiffusionModel } from '../src/diffusion/model';
import { createTextEncoder } from '../src/diffusion/text-encoder';
import { loadParts, memoryLimits, readModelInfo } from '../src/engine/load-model';
import { applyConcept, type Concept } from '../src/personalization/concept';
import { personalizationMethods } from '../src/personalization/methods';
import { conceptOf, plan } from '../src/personalization/plan';
import { openBackend } from '../src/runtime/backend';
import type { BackendName } from '../src/runtime/capabilities';
import type { OrtLoader } from '../src/runtime/ort';
import { fitTrainer } from '../src/steering/fit-trainer';
import { guidedSamples } from '../src/steering/guided-sampling';
import { heldBy, type SteerOptions, steerDefaults } from '../src/steering/options';
import { memoizePromise } from '../src/util/async';
import type { FileTree } from '../src/util/byte-source';
import { type NdArray, ndArray, sizeOf, zeros } from '../src/util/nd-array';
import { createTorchRng } from '../src/util/random';
import { type Contender, timed } from './measure';

/** What to time of fitting a concept of a method on the starter; plain data. */
export interface SteeringSpec {
  readonly backend: BackendName;
  readonly method: string;
  /**
   * EDSD alone; EDSD and mode shifting; these with the options that the model recommends; one step of one sample, guided or
   * plain
   */
  readonly what: 'edsd' | 'fit' | 'recommended' | 'guided' | 'plain';
}

/** The method's concept before its first step. */
async function untrained(model: DiffusionModel, method: string): Promise<Concept> {
  const request = {
    method,
    options: personalizationMethods[method]!.defaults,
    pictures: [zeros([1, 3, 8, 8])],
    token: '<new>',
    classWord: 'cat',
    seed: 0,
  };
  const { trainables } = plan(model.parts, request);
  const weights = new Map<string, NdArray>();
  for (const [name, { start }] of trainables) weights.set(name, await start());
  return conceptOf(request, { count: 0, weights, slots: {} });
}

const noise = (shape: readonly number[], seed: number): NdArray =>
  ndArray(createTorchRng(seed).randn(sizeOf(shape)), shape);

/** Keeps what it has compiled between calls, so that contenders can take turns. */
export function createSteering(load: OrtLoader, tree: FileTree) {
  const models = memoizePromise(async (name: BackendName) => {
    const backend = await openBackend(name, { load, threads: 2 });
    return createModel(await loadParts(tree, backend, 'float32'), memoryLimits(backend));
  });
  const info = readModelInfo(tree);
  const prepare = memoizePromise(async (key: string): Promise<Contender> => {
    const { backend, method, what } = JSON.parse(key) as SteeringSpec;
    const model = await models(backend);
    const concept = await untrained(model, method);
    const personalised = applyConcept(model.parts, concept);
    const { textEncoder, tokenizer } = personalised;
    const text = createTextEncoder(textEncoder.config, textEncoder.weights, tokenizer, textEncoder.learned);
    const targetPrompt = `a photo of a ${concept.subject}`;
    const shown = await model.embed('a photo of a dog');
    const contexts = {
      source: shown,
      compared: shown,
      sourceEmpty: await model.embed(''),
      target: await text.embed(targetPrompt),
      empty: await text.embed(''),
    };
    await text.dispose();
    const source = noise(model.latentShape, 1);
    const options = (over: Partial<SteerOptions>): SteerOptions =>
      ({ ...steerDefaults(method), ...over }) as SteerOptions;
    if (what === 'edsd' || what === 'fit' || what === 'recommended') {
      const chosen =
        what === 'recommended'
          ? heldBy(steerDefaults(method, (await info).steering), 1)
          : options(what === 'edsd' ? { modeShift: 0 } : {});
      const [, , height, width] = model.latentShape;
      const { trainer, batch } = await fitTrainer(
        model,
        personalised,
        {
          concept,
          source,
          contexts,
          samples: [source],
          references: [{ latent: { mean: source, std: zeros(source.shape) }, prompts: [targetPrompt] }],
          targetPrompt,
          // any map will do, as long as there is one
          region: ndArray(new Float32Array(height * width).fill(0.5), [1, 1, height, width]),
          options: chosen,
          seed: 0,
        },
        {},
      );
      let step = 0;
      // what the frozen model says is asked for two steps at once
      const two = timed(async () => {
        for (let i = 0; i < 2; i++) await trainer.step(await batch(step++), 1e-6);
      });
      return async (runs) => (await two(runs / 2)).map((ms) => ms / 2);
    }
    const chosen = options({
      samples: 2,
      // so many that a walk outlasts the bench
      ddimSteps: 200,
      sampling: what === 'guided' ? 'guided' : 'noise',
    });
    const walk = (): ReturnType<typeof guidedSamples> =>
      guidedSamples(model, personalised, { source, contexts, seed: 0 }, chosen);
    let samples = walk();
    const next = async (): Promise<void> => {
      for (;;) {
        const { value, done } = await samples.next();
        if (done) samples = walk();
        else if (value.stage === 'guide') return;
      }
    };
    // what comes before the first step is not timed
    await next();
    return async (runs) => (await timed(next)(runs)).map((ms) => ms / chosen.samples);
  });
  return {
    /** Milliseconds of each of `runs` runs; of sampling for one sample. */
    time: async (spec: SteeringSpec, runs: number) => (await prepare(JSON.stringify(spec)))(runs),
  };
}
