import type { Graph, Value } from '../onnx/graph';
import { checkFits, estimateRun } from '../runtime/memory';
import { compile } from '../runtime/session';
import { byteSize, DeviceTensor, type TensorSpec } from '../runtime/tensor';
import type { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import { deviceOptimiser } from './device-optimiser';
import { reported, type StepGraph, type StepOptions, type Trainer } from './trainer';

/** Gradients as a graph, then the optimiser as shaders on the same buffers: weights and moments stay on the GPU. */
export async function deviceStep(
  { g, loss, trainable, gradients }: StepGraph,
  weights: WeightStore,
  options: StepOptions,
): Promise<Trainer> {
  const { optimiser, label = 'training step', metrics = {} } = options;
  const { backend } = weights;
  const names = trainable.map(({ name }) => name);
  const numbers: Record<string, Value> = { loss: unviewed(g, loss) };
  for (const [name, value] of Object.entries(metrics)) numbers[`metric ${name}`] = unviewed(g, value);
  // two weights may have one gradient
  const computed = gradients.map((d) => unviewed(g, d));
  const outputs = { ...numbers, ...Object.fromEntries(computed.map((d) => [`gradient ${d.name}`, d])) };

  const training = new Set(names);
  const frozen = (name: string): boolean => !training.has(name);
  const run = estimateRun(g, Object.values(outputs), { backend: backend.name, frozen });
  const moments = optimiser.slots.length * trainable.reduce((sum, value) => sum + byteSize(value), 0);
  const memory = { ...run, weights: run.weights + moments };
  checkFits(memory, options.limits ?? {});
  const program = await compile(g, outputs, weights, { frozen, capture: true, label });

  const create = async (
    specs: Readonly<Record<string, TensorSpec>>,
  ): Promise<Record<string, DeviceTensor>> => {
    const tensors: Record<string, DeviceTensor> = {};
    for (const [name, spec] of Object.entries(specs))
      tensors[name] = await DeviceTensor.create(backend, spec, name);
    return tensors;
  };
  const { feeds } = program.ownTensors!;
  const slots: Record<string, Record<string, DeviceTensor>> = {};
  for (const slot of optimiser.slots) {
    slots[slot] = await create(Object.fromEntries(trainable.map((weight) => [weight.name, weight])));
  }
  const updates = await Promise.all(
    names.map(async (name) => ({
      weight: await weights.changeable(name),
      slots: optimiser.slots.map((slot) => slots[slot]![name]!),
    })),
  );
  const { update, control, dispose } = await deviceOptimiser(backend, optimiser, updates, options);
  let count = 0;

  const copy = async (read: (name: string) => Promise<NdArray>): Promise<Map<string, NdArray>> =>
    new Map(await Promise.all(names.map(async (name) => [name, await read(name)] as const)));

  return {
    names,
    memory,
    async step(batch, lr) {
      await Promise.all(Object.entries(feeds).map(([name, feed]) => feed.write(given(batch, name))));
      const results = await program.runDevice(feeds);
      const d = computed.map(({ name }) => results[`gradient ${name}`]!);
      await update(d, optimiser.schedule(count + 1, lr));
      const reads = [control, ...Object.keys(numbers).map((name) => results[name]!)];
      const [norm, ...values] = (await backend.device!.read(reads)).map((raw) => new Float32Array(raw)[0]!);
      const number = Object.fromEntries(Object.keys(numbers).map((name, i) => [name, values[i]!]));
      const applied = Number.isFinite(norm);
      if (applied) count++;
      return {
        loss: number.loss!,
        gradNorm: norm!,
        applied,
        ...reported(metrics, (name) => number[`metric ${name}`]!),
      };
    },
    state: async () => ({
      count,
      weights: await copy((name) => weights.read(name)),
      slots: Object.fromEntries(
        await Promise.all(
          optimiser.slots.map(
            async (slot) => [slot, await copy((name) => slots[slot]![name]!.read())] as const,
          ),
        ),
      ),
    }),
    async restore(state) {
      count = state.count;
      for (const name of names) {
        await weights.update(name, given(state.weights, name));
        for (const slot of optimiser.slots) {
          await slots[slot]![name]!.write(given(state.slots[slot] ?? new Map(), name));
        }
      }
    },
    async dispose() {
      await program.dispose();
      dispose();
      for (const tensor of Object.values(slots).flatMap((tensors) => Object.values(tensors)))
        tensor.dispose();
    },
  };
}

/** The value behind a chain of reshapes: the same numbers, in a result that a captured program can replay. */
function unviewed(g: Graph, value: Value): Value {
  const producer = g.nodes.find(({ outputs }) => outputs.includes(value));
  const [source] = producer?.op === 'Reshape' ? producer.inputs : [];
  // what is fed or a weight cannot be a result
  return source && g.nodes.some(({ outputs }) => outputs.includes(source)) ? unviewed(g, source) : value;
}

/** @throws AppError SHAPE when it is missing */
function given(
  values: ReadonlyMap<string, NdArray> | Readonly<Record<string, NdArray>>,
  name: string,
): NdArray {
  const value =
    values instanceof Map ? values.get(name) : (values as Readonly<Record<string, NdArray>>)[name];
  if (!value) throw new AppError('SHAPE', `no value for ${name}`, { name });
  return value;
}
