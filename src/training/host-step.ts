import { checkFits, estimateRun } from '../runtime/memory';
import { compile } from '../runtime/session';
import { byteSize } from '../runtime/tensor';
import type { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import { type NdArray, sizeOf, zeros } from '../util/nd-array';
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
  const moments = optimiser.slots.length * trainable.reduce((sum, value) => sum + byteSize(value), 0);
  const memory = { ...run, weights: run.weights + moments };
  checkFits(memory, limits);
  const program = await compile(g, outputs, weights, { frozen, label });
  const resident = await Promise.all(
    names.map(async (name) => (await weights.changeable(name)).ort.data as Float32Array),
  );
  const slots = Object.fromEntries(
    optimiser.slots.map((slot) => [slot, trainable.map(({ shape }) => zeros(shape).data)]),
  );
  let count = 0;

  const apply = (gradient: readonly Float32Array[], factor: number, lr: number): void => {
    const scalars = optimiser.schedule(++count, lr);
    gradient.forEach((data, i) => {
      const own = Object.fromEntries(optimiser.slots.map((slot) => [slot, slots[slot]![i]!]));
      optimiser.apply(resident[i]!, data, factor, own, scalars);
    });
  };

  const named = (data: readonly Float32Array[]): Map<string, NdArray> =>
    new Map(trainable.map(({ name, shape }, i) => [name, { data: data[i]!.slice(), shape }]));

  return {
    names,
    memory,
    async step(feeds, lr) {
      const results = await program.run(feeds);
      const gradient = names.map((name) => results[`d ${name}`]!.data);
      const gradNorm = norm(gradient) / lossScale;
      const applied = Number.isFinite(gradNorm);
      if (applied) apply(gradient, gradientFactor(gradNorm, options), lr);
      return {
        loss: results.loss!.data[0]!,
        gradNorm,
        applied,
        ...reported(metrics, (name) => results[`metric ${name}`]!.data[0]!),
      };
    },
    state: async () => ({
      count,
      weights: named(resident),
      slots: Object.fromEntries(optimiser.slots.map((slot) => [slot, named(slots[slot]!)])),
    }),
    async restore(state) {
      count = state.count;
      for (const [i, { name, shape }] of trainable.entries()) {
        fill(resident[i]!, state.weights.get(name), name, sizeOf(shape));
        for (const slot of optimiser.slots)
          fill(slots[slot]![i]!, state.slots[slot]?.get(name), name, sizeOf(shape));
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

/** Euclidean norm of all arrays together, in double precision; four sums at a time, for the CPU adds them side by side. */
function norm(arrays: readonly Float32Array[]): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (const array of arrays) {
    const whole = array.length & ~3;
    for (let i = 0; i < whole; i += 4) {
      a += array[i]! * array[i]!;
      b += array[i + 1]! * array[i + 1]!;
      c += array[i + 2]! * array[i + 2]!;
      d += array[i + 3]! * array[i + 3]!;
    }
    for (let i = whole; i < array.length; i++) a += array[i]! * array[i]!;
  }
  return Math.sqrt(a + b + c + d);
}
