/** What a training step must do, on any backend. */
import { expect, test } from 'vitest';
import type { Backend } from '../runtime/backend';
import { WeightStore } from '../runtime/weights';
import { ndArray } from '../util/nd-array';
import { adamw } from './adamw';
import golden from './golden/optimisers.json' with { type: 'json' };
import { regression, regressionShapes } from './regression';
import { sgd } from './sgd';
import { compileStep } from './step';
import type { StepOptions, Trainer } from './trainer';

const NAMES = [...regressionShapes.keys()];
type Case = typeof golden.adamw;

async function start(
  backend: Backend,
  { first }: Case,
  options: StepOptions,
  names = NAMES,
): Promise<[Trainer, WeightStore]> {
  const weights = new WeightStore(backend, {
    shapes: regressionShapes,
    load: async (name) => ndArray(first[name as 'w1'], regressionShapes.get(name)!),
  });
  const { g, loss } = regression();
  return [await compileStep(g, loss, names, weights, options), weights];
}

const batch = ({ x, y }: Case) => ({ x: ndArray(x, [8, 5]), y: ndArray(y, [8, 3]) });

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));

export function stepTests(open: () => Promise<Backend>): void {
  const optimisers = [
    ['adamw', golden.adamw, adamw(), 1e-2],
    ['sgd', golden.sgd, sgd({ momentum: 0.9, weightDecay: 1e-3 }), 0.1],
    ['sgd without momentum', golden.plain, sgd(), 0.1],
  ] as const;
  for (const [label, expected, optimiser, lr] of optimisers) {
    test(`${label} with clipping follows PyTorch for ${golden.steps} steps`, async () => {
      const [trainer, weights] = await start(await open(), expected, { optimiser, maxGradNorm: golden.clip });
      for (let i = 0; i < golden.steps; i++) {
        const { loss, gradNorm, applied } = await trainer.step(batch(expected), lr);
        expect(applied).toBe(true);
        expect(Math.abs(loss - expected.losses[i]!)).toBeLessThan(1e-5);
        expect(Math.abs(gradNorm - expected.norms[i]!)).toBeLessThan(1e-5);
      }
      for (const name of NAMES) {
        const { data } = await weights.read(name);
        expect(largestDifference(data, expected.last[name as 'w1'])).toBeLessThan(1e-5);
      }
      await trainer.dispose();
    });
  }

  test('a loss scale changes nothing but the range of the gradients', async () => {
    const backend = await open();
    const [plain, a] = await start(backend, golden.adamw, { optimiser: adamw(), maxGradNorm: 0.5 });
    const [scaled, b] = await start(backend, golden.adamw, {
      optimiser: adamw(),
      maxGradNorm: 0.5,
      lossScale: 2 ** 12,
    });
    for (let i = 0; i < 3; i++) {
      const [one, other] = [
        await plain.step(batch(golden.adamw), 1e-2),
        await scaled.step(batch(golden.adamw), 1e-2),
      ];
      expect(Math.abs(one.gradNorm - other.gradNorm)).toBeLessThan(1e-6);
    }
    expect(largestDifference((await a.read('w1')).data, (await b.read('w1')).data)).toBeLessThan(1e-6);
  });

  test('a step whose gradients are not finite changes neither weights nor moments', async () => {
    const [trainer] = await start(await open(), golden.adamw, { optimiser: adamw(), maxGradNorm: 0.5 });
    const good = batch(golden.adamw);
    await trainer.step(good, 1e-2);
    const before = await trainer.state();
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const y = ndArray(
        good.y.data.map((v, i) => (i === 4 ? bad : v)),
        [8, 3],
      );
      expect((await trainer.step({ ...good, y }, 1e-2)).applied).toBe(false);
      expect(await trainer.state()).toEqual(before);
    }
    expect((await trainer.step(good, 1e-2)).applied).toBe(true);
  });

  test('restored, a trainer continues bit for bit', async () => {
    const backend = await open();
    const options = { optimiser: adamw(), maxGradNorm: 0.5 };
    const [first] = await start(backend, golden.adamw, options);
    const steps = async (trainer: Trainer, count: number) => {
      for (let i = 0; i < count; i++) await trainer.step(batch(golden.adamw), 1e-2);
    };
    await steps(first, 3);
    const saved = await first.state();
    await steps(first, 3);
    const [second] = await start(backend, golden.sgd, options);
    await second.step(batch(golden.adamw), 1);
    await second.restore(saved);
    await steps(second, 3);
    expect(await second.state()).toEqual(await first.state());
  });

  test('weights that do not train stay as they are; training nothing is refused', async () => {
    const backend = await open();
    const [trainer, weights] = await start(backend, golden.adamw, { optimiser: adamw() }, ['w2']);
    await trainer.step(batch(golden.adamw), 1e-2);
    expect((await weights.read('w1')).data).toEqual(Float32Array.from(golden.adamw.first.w1));
    expect((await weights.read('w2')).data).not.toEqual(Float32Array.from(golden.adamw.first.w2));
    await expect(start(backend, golden.adamw, { optimiser: adamw() }, [])).rejects.toMatchObject({
      code: 'GRAPH',
    });
    await expect(start(backend, golden.adamw, { optimiser: adamw() }, ['w3'])).rejects.toMatchObject({
      code: 'GRAPH',
    });
  });
}
