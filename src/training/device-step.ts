import type { Value } from '../onnx/graph';
import * as op from '../onnx/ops';
import { checkFits, estimateRun } from '../runtime/memory';
import { compile } from '../runtime/session';
import { DeviceTensor } from '../runtime/tensor';
import type { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import { reported, type StepGraph, type StepOptions, type Trainer } from './trainer';

/** Just below the largest float32: nothing finite is above, NaN compares as false. */
const FINITE = 3e38;

/** A tensor and the one that the next step writes its successor to. */
interface PingPong {
  now: DeviceTensor;
  next: DeviceTensor;
}

/** Gradients, clipping and the optimiser as one graph; weights and moments stay on the GPU. */
export async function deviceStep(
  { g, loss, trainable, gradients }: StepGraph,
  weights: WeightStore,
  options: StepOptions,
): Promise<Trainer> {
  const { optimiser, maxGradNorm, lossScale = 1, label = 'training step', metrics = {} } = options;
  const { backend } = weights;
  const names = trainable.map(({ name }) => name);
  const data = [...g.feeds];
  const scalars = Object.fromEntries(
    optimiser.scalars.map((name) => [name, g.feed(`optimiser ${name}`, [1])]),
  );

  // summed in the order they are computed in: the runtime then does not keep all cotangents until the last gradient
  const computed = new Map(
    g.nodes.flatMap(({ outputs }, i) => outputs.map(({ name }) => [name, i] as const)),
  );
  const inOrder = gradients.toSorted((a, b) => computed.get(a.name)! - computed.get(b.name)!);
  const squares = inOrder.map((d) =>
    op.reduceSumSquare(
      g,
      d,
      d.shape.map((_, i) => i),
      false,
    ),
  );
  const unscaled = op.mul(
    g,
    op.sqrt(
      g,
      squares.reduce((sum, s) => op.add(g, sum, s)),
    ),
    op.scalar(g, 1 / lossScale),
  );
  const finite = op.less(g, unscaled, op.scalar(g, FINITE));
  const limit =
    maxGradNorm === undefined
      ? op.scalar(g, 1)
      : op.min(
          g,
          op.scalar(g, 1),
          op.div(g, op.scalar(g, maxGradNorm), op.add(g, unscaled, op.scalar(g, 1e-6))),
        );
  const factor = op.mul(g, limit, op.scalar(g, 1 / lossScale));

  const scalarOutputs: Record<string, Value> = { loss, norm: unscaled };
  for (const [name, value] of Object.entries(metrics)) scalarOutputs[`metric ${name}`] = value;
  const outputs = { ...scalarOutputs };
  const slotFeeds: Value[] = [];
  for (const [i, weight] of trainable.entries()) {
    const slots = Object.fromEntries(
      optimiser.slots.map((slot) => [slot, g.feed(`${slot} ${weight.name}`, weight.shape)]),
    );
    slotFeeds.push(...Object.values(slots));
    const next = optimiser.append(g, weight, op.mul(g, gradients[i]!, factor), slots, scalars);
    outputs[`weight ${weight.name}`] = op.where(g, finite, next.weight, weight);
    for (const slot of optimiser.slots) {
      outputs[`${slot} ${weight.name}`] = op.where(g, finite, next.slots[slot]!, slots[slot]!);
    }
  }
  const training = new Set(names);
  const frozen = (name: string): boolean => !training.has(name);
  // weights and moments: what is read is fed, what is written is a result
  const memory = estimateRun(g, Object.values(outputs), { backend: backend.name, frozen });
  checkFits(memory, options.limits ?? {});
  const program = await compile(g, outputs, weights, { frozen, label });

  const create = async (values: readonly Value[]): Promise<Record<string, DeviceTensor>> =>
    Object.fromEntries(
      await Promise.all(
        values.map(async (v) => [v.name, await DeviceTensor.create(backend, v, v.name)] as const),
      ),
    );
  const feeds = await create([...data, ...Object.values(scalars)]);
  const results = Object.fromEntries(
    await Promise.all(
      Object.entries(scalarOutputs).map(
        async ([name, v]) => [name, await DeviceTensor.create(backend, v, name)] as const,
      ),
    ),
  );
  const [now, next] = [await create(slotFeeds), await create(slotFeeds)];
  const slots = new Map<string, PingPong>(
    slotFeeds.map(({ name }) => [name, { now: now[name]!, next: next[name]! }]),
  );
  let count = 0;

  const copy = async (pick: (name: string) => Promise<NdArray>): Promise<Map<string, NdArray>> =>
    new Map(await Promise.all(names.map(async (name) => [name, await pick(name)] as const)));

  return {
    names,
    memory,
    async step(batch, lr) {
      const values = optimiser.schedule(count + 1, lr);
      await Promise.all([
        ...data.map(({ name }) => feeds[name]!.write(given(batch, name))),
        ...optimiser.scalars.map((name) =>
          feeds[scalars[name]!.name]!.write({ data: Float32Array.of(values[name]!), shape: [1] }),
        ),
      ]);
      const targets: Record<string, DeviceTensor> = { ...results };
      for (const name of names) targets[`weight ${name}`] = await weights.spare(name);
      for (const [name, slot] of slots) targets[name] = slot.next;
      const moments = [...slots].map(([name, slot]) => [name, slot.now] as const);
      await program.runDevice({ ...feeds, ...Object.fromEntries(moments) }, targets);
      for (const name of names) weights.swap(name);
      for (const slot of slots.values()) [slot.now, slot.next] = [slot.next, slot.now];
      const read = Object.entries(results).map(
        async ([name, tensor]) => [name, (await tensor.read()).data[0]!] as const,
      );
      const numbers = Object.fromEntries(await Promise.all(read));
      const gradNorm = numbers.norm!;
      const applied = gradNorm < FINITE;
      if (applied) count++;
      return {
        loss: numbers.loss!,
        gradNorm,
        applied,
        ...reported(metrics, (name) => numbers[`metric ${name}`]!),
      };
    },
    state: async () => ({
      count,
      weights: await copy((name) => weights.read(name)),
      slots: Object.fromEntries(
        await Promise.all(
          optimiser.slots.map(
            async (slot) => [slot, await copy((name) => slots.get(`${slot} ${name}`)!.now.read())] as const,
          ),
        ),
      ),
    }),
    async restore(state) {
      count = state.count;
      for (const name of names) {
        await weights.update(name, given(state.weights, name));
        for (const slot of optimiser.slots) {
          await slots.get(`${slot} ${name}`)!.now.write(given(state.slots[slot] ?? new Map(), name));
        }
      }
    },
    async dispose() {
      await program.dispose();
      const pairs = [...slots.values()].flatMap((slot) => [slot.now, slot.next]);
      for (const tensor of [...Object.values(feeds), ...Object.values(results), ...pairs]) tensor.dispose();
    },
  };
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
