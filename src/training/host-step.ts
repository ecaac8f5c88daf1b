import { checkFits, estimateRun } from '../runtime/memory';
import { compile } from '../runtime/session';
import { byteSize } from '../runtime/tensor';
import type { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import { type NdArray, sizeOf } from '../util/nd-array';
import { type HostWeight, hostBlocks } from './host-blocks';
import { gradientFactor, reported, type StepGraph, type StepOptions, type Trainer } from './trainer';

/** The optimiser over host memory, in place. For CPU backends. */
export async function hostStep(
  { g, loss, trainable, gradients }: StepGraph,
  weights: WeightStore,
  options: StepOptions,
): Promise<Trainer> {
  const { optimiser, lossScale = 1, label = 'training step', metrics = {}, limits = {} } = options;
  const names = trainable.map(({ name }) => name);
  const training = new Set(names);
  const outputs = {
    loss,
    ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`metric ${name}`, value])),
    ...Object.fromEntries(gradients.map((d, i) => [`d ${names[i]}`, d])),
  };
  const frozen = (name: string): boolean => !training.has(name);
  const run = estimateRun(g, Object.values(outputs), { backend: weights.backend.name, frozen });
  // gradients are copied out of the runtime into the optimiser's memory, where they stay
  const beside = 1 + optimiser.slots.length;
  const values = trainable.reduce((sum, value) => sum + byteSize(value), 0);
  const memory = { ...run, weights: run.weights + beside * values };
  checkFits(memory, limits);
  const { blocks, weights: own } = hostBlocks(
    optimiser,
    trainable.map(({ shape }) => sizeOf(shape)),
  );
  const program = await compile(g, outputs, weights, { frozen, label });
  for (const [i, name] of names.entries()) await weights.moveTo(name, own[i]!.weight);
  let count = 0;

  const named = (pick: (weight: HostWeight) => Float32Array): Map<string, NdArray> =>
    new Map(trainable.map(({ name, shape }, i) => [name, { data: pick(own[i]!).slice(), shape }]));

  return {
    names,
    memory,
    async step(feeds, lr) {
      const results = await program.run(feeds);
      for (const [i, name] of names.entries()) own[i]!.gradient.set(results[`d ${name}`]!.data);
      const gradNorm = Math.sqrt(blocks.reduce((sum, block) => sum + block.squares(), 0)) / lossScale;
      const applied = Number.isFinite(gradNorm);
      if (applied) {
        const scalars = optimiser.schedule(++count, lr);
        for (const block of blocks) block.apply(gradientFactor(gradNorm, options), scalars);
      }
      return {
        loss: results.loss!.data[0]!,
        gradNorm,
        applied,
        ...reported(metrics, (name) => results[`metric ${name}`]!.data[0]!),
      };
    },
    state: async () => ({
      count,
      weights: named(({ weight }) => weight),
      slots: Object.fromEntries(optimiser.slots.map((slot) => [slot, named(({ slots }) => slots[slot]!)])),
    }),
    async restore(state) {
      count = state.count;
      for (const [i, { name, shape }] of trainable.entries()) {
        const { weight, slots } = own[i]!;
        fill(weight, state.weights.get(name), name, sizeOf(shape));
        for (const slot of optimiser.slots)
          fill(slots[slot]!, state.slots[slot]?.get(name), name, sizeOf(shape));
      }
    },
    dispose: () => program.dispose(),
  };
}

function fill(target: Float32Array, source: NdArray | undefined, name: string, size: number): void {
  if (source?.data.length !== size)
    throw new AppError('SHAPE', `the checkpoint does not hold ${name} of ${size} values`);
  target.set(source.data);
}
