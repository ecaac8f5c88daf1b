import { defaultDevice, init, numpy as np } from '@jax-js/jax';
import { loadOrtWeb } from '../src/runtime/ort-web';
import { startBackend } from '../src/runtime/start';
import { WeightStore } from '../src/runtime/weights';
import { adamw } from '../src/training/adamw';
import { compileStep } from '../src/training/step';
import { memoizePromise } from '../src/util/async';
import { type NdArray, ndArray } from '../src/util/nd-array';
import { BLOCKS, type TrainableBlock, trainableBlock } from './block';
import { type JaxState, jaxStep } from './jax-block';

export interface JaxRequest {
  readonly backend: 'wasm' | 'webgpu';
  readonly block: keyof typeof BLOCKS;
  readonly side: 'ours' | 'jax-js';
  readonly runs: number;
}

export interface JaxRuns {
  /** ms of each step: data in, loss out */
  readonly times: readonly number[];
  readonly losses: readonly number[];
  /** of the first step this side ever did, by weight */
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
const LEARNING_RATE = 1e-3;

interface Side {
  step(): Promise<number>;
  /** AdamW's first moments */
  moments(): Promise<Readonly<Record<string, Float32Array>>>;
}

async function ours(backend: JaxRequest['backend'], block: TrainableBlock): Promise<Side> {
  const { backend: opened } = await startBackend({ load: loadOrtWeb, force: backend });
  const shapes = new Map([...block.weights].map(([name, { shape }]) => [name, shape]));
  const store = new WeightStore(opened, { shapes, load: async (name) => block.weights.get(name)! });
  const trainer = await compileStep(block.graph, block.loss, [...shapes.keys()], store, {
    optimiser: adamw(ADAM),
  });
  return {
    step: async () => (await trainer.step(block.feeds, LEARNING_RATE)).loss,
    async moments() {
      const { slots } = await trainer.state();
      return Object.fromEntries([...slots.m!].map(([name, { data }]) => [name, data]));
    },
  };
}

async function jaxJs(
  backend: JaxRequest['backend'],
  block: TrainableBlock,
  size: (typeof BLOCKS)[keyof typeof BLOCKS],
): Promise<Side> {
  const ready = await init(backend);
  if (!ready.includes(backend)) throw new Error(`jax-js has no ${backend} here`);
  defaultDevice(backend);
  const array = ({ data, shape }: NdArray): np.Array => np.array(data.slice(), { shape: [...shape] });
  const arrays = (make: (value: NdArray) => np.Array) =>
    Object.fromEntries([...block.weights].map(([name, value]) => [name, make(value)]));
  const none = ({ shape }: NdArray): np.Array => np.zeros([...shape]);
  const compiled = jaxStep(size, ADAM);
  const { schedule } = adamw(ADAM);
  let state: JaxState = { w: arrays(array), m: arrays(none), v: arrays(none) };
  let count = 0;
  return {
    async step() {
      const { x, time, context, target } = block.feeds;
      const { decay, rate, correction } = schedule(++count, LEARNING_RATE);
      const scalars = array(ndArray([decay!, rate!, correction!], [3]));
      const feeds = { x: array(x), time: array(time), context: array(context), target: array(target) };
      const [loss, next] = compiled(state, feeds, scalars);
      state = next;
      return (await loss.data())[0]!;
    },
    async moments() {
      const read = Object.entries(state.m).map(async ([name, m]) => [name, await m.ref.data()] as const);
      return Object.fromEntries(await Promise.all(read)) as Record<string, Float32Array>;
    },
  };
}

const sides = memoizePromise(async (key: string) => {
  const { backend, block, side } = JSON.parse(key) as Omit<JaxRequest, 'runs'>;
  const size = BLOCKS[block];
  const made = trainableBlock(size);
  const it = side === 'ours' ? await ours(backend, made) : await jaxJs(backend, made, size);
  const first = await it.step();
  const moments = Object.entries(await it.moments());
  const gradients = Object.fromEntries(
    moments.map(([name, m]) => [name, m.map((value) => value / (1 - ADAM.beta1))]),
  );
  return { it, first, gradients };
});

/** Steps of one side on the same data, in a browser's worker. */
export async function run({ runs, ...spec }: JaxRequest): Promise<JaxRuns> {
  const { it, first, gradients } = await sides(JSON.stringify(spec));
  const times: number[] = [];
  const losses = [first];
  for (let i = 0; i < runs; i++) {
    const from = performance.now();
    losses.push(await it.step());
    times.push(performance.now() - from);
  }
  return { times, losses, gradients };
}
