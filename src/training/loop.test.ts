import { expect, test } from 'vitest';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { WeightStore } from '../runtime/weights';
import { ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { adamw } from './adamw';
import { type Checkpoint, type LoopEvent, type LoopOptions, trainingLoop } from './loop';
import { regression, regressionShapes } from './regression';
import { compileStep } from './step';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });

async function trainer() {
  const load = async (name: string) => {
    const shape = regressionShapes.get(name)!;
    return ndArray(createTorchRng(name.length).randn(shape.reduce((a, b) => a * b)), shape);
  };
  const { g, loss } = regression();
  const weights = new WeightStore(backend, { shapes: regressionShapes, load });
  return compileStep(g, loss, [...regressionShapes.keys()], weights, { optimiser: adamw() });
}

const batch = async (step: number) => {
  const rng = createTorchRng(step);
  return { x: ndArray(rng.randn(40), [8, 5]), y: ndArray(rng.randn(24), [8, 3]) };
};

async function run(options: Partial<LoopOptions>, stopAfter = Number.POSITIVE_INFINITY) {
  const loop = trainingLoop(await trainer(), batch, {
    steps: 12,
    learningRate: () => 1e-2,
    configHash: 'a',
    ...options,
  });
  const events: LoopEvent[] = [];
  for (;;) {
    const next = await loop.next();
    if (next.done) return { events, last: next.value };
    events.push(next.value);
    if (events.length >= stopAfter) {
      await loop.return(undefined as never);
      return { events, last: null };
    }
  }
}

const losses = (events: readonly LoopEvent[]): number[] =>
  events.flatMap((event) => (event.kind === 'step' ? [event.loss] : []));
const checkpoints = (events: readonly LoopEvent[]): Checkpoint[] =>
  events.flatMap((event) => (event.kind === 'checkpoint' ? [event.checkpoint] : []));

test('a resumed run is bit-identical to an uninterrupted one', async () => {
  const whole = await run({});
  const interrupted = await run({ checkpointEvery: 5 }, 9);
  const [saved] = checkpoints(interrupted.events);
  expect(saved!.step).toBe(5);
  const resumed = await run({ resume: structuredClone(saved!) });
  expect([...losses(interrupted.events).slice(0, 5), ...losses(resumed.events)]).toEqual(
    losses(whole.events),
  );
  expect(resumed.last).toEqual(whole.last);
});

test('checkpoints and samples come when asked for, and a checkpoint does not change as training goes on', async () => {
  const { events, last } = await run({ checkpointEvery: 4, sampleEvery: 6 });
  expect(checkpoints(events).map(({ step }) => step)).toEqual([4, 8]);
  expect(events.flatMap((e) => (e.kind === 'sample' ? [e.index] : []))).toEqual([6, 12]);
  const [first, second] = checkpoints(events);
  expect(first!.state.weights.get('w1')!.data).not.toEqual(second!.state.weights.get('w1')!.data);
  expect(last!.step).toBe(12);
});

test('"finish now" ends after the step in progress with the state of that step', async () => {
  const finish = new AbortController();
  const loop = trainingLoop(await trainer(), batch, {
    steps: 12,
    learningRate: () => 1e-2,
    configHash: 'a',
    finish: finish.signal,
  });
  for (let i = 0; i < 3; i++) await loop.next();
  finish.abort();
  const end = await loop.next();
  expect(end.done).toBe(true);
  expect((end.value as Checkpoint).step).toBe(3);
  const [saved] = checkpoints((await run({ checkpointEvery: 3 })).events);
  expect((end.value as Checkpoint).state).toEqual(saved!.state);
});

test('a checkpoint of other settings is refused, and endless overflow ends the run', async () => {
  const { last } = await run({ steps: 2 });
  await expect(run({ resume: last!, configHash: 'b' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  const overflowing = trainingLoop(
    await trainer(),
    async (step) => ({ ...(await batch(step)), y: ndArray(new Float32Array(24).fill(Number.NaN), [8, 3]) }),
    { steps: 100, learningRate: () => 1e-2, configHash: 'a' },
  );
  const drain = async () => {
    for await (const event of overflowing) expect(event).toMatchObject({ applied: false });
  };
  await expect(drain()).rejects.toMatchObject({ code: 'NUMERIC' });
});
