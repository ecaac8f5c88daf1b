import { expect, test } from 'vitest';
import { personalizationMethods } from '../personalization/methods';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { memoryBlobs } from '../storage/blobs';
import { createLocalEngine } from './engine';
import type { RunsOn } from './host';
import { tinyHost, tinyPicture, tinyTree } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const host = tinyHost(backend, tinyTree(), memoryBlobs());

test('the backend that is asked for is opened, once', async () => {
  const asked: (RunsOn | undefined)[] = [];
  const engine = createLocalEngine({
    ...host,
    startBackend(on) {
      asked.push(on);
      return host.startBackend();
    },
  });
  const { model } = await engine.info('tiny', { backend: 'wasm', gpuMemory: 2 ** 33 });
  expect(model).toMatchObject({ id: 'tiny', label: 'Tiny', size: 16, family: null });
  await engine.info('tiny');
  expect(asked).toEqual([{ backend: 'wasm', gpuMemory: 2 ** 33 }]);
});

test('edits have the defaults that suit the model, and how the concept was learned that they put in', async () => {
  const editing = {
    score: { all: { stepSize: 0.2, guidanceScale: 3 }, dreambooth: { guidanceScale: 2 } },
    attention: { all: { guidanceScale: 4, steps: 'many' } },
  };
  const engine = createLocalEngine(tinyHost(backend, tinyTree({ editing }), memoryBlobs()));
  const { methods } = await engine.info('tiny');
  const guidanceOf = (name: string) => {
    const { defaults, withConcept } = methods.find((method) => method.name === name)!;
    return [defaults, withConcept[''], withConcept['textual-inversion'], withConcept.dreambooth].map(
      (options) => options?.guidanceScale,
    );
  };
  expect(guidanceOf('dds-sm')).toEqual([3, 3, 3, 2]);
  expect(guidanceOf('custom-edit')).toEqual([4, 4, 4, 4]);
  expect(methods[0]).toMatchObject({
    defaults: { stepSize: 0.2, steps: 200 },
    withConcept: { dreambooth: { stepSize: 0.2, steps: 200 } },
  });
});

test('freeing models spares the one that a paused run trains on', async () => {
  const engine = createLocalEngine(host);
  const { id } = await tinyPicture(host, 1);
  const events = engine.learn(
    {
      model: 'tiny',
      name: 'Miso',
      token: '<miso>',
      classWord: 'cat',
      pictures: [{ id, square: { x: 0, y: 0, size: 20 } }],
      method: 'textual-inversion',
      options: { ...personalizationMethods['textual-inversion']!.defaults, steps: 2, batch: 1 },
      seed: 1,
      resume: null,
    },
    new AbortController().signal,
  );
  const until = async (kind: string): Promise<void> => {
    for (;;) {
      const { value, done } = await events.next();
      if (done || value.kind === kind) return;
    }
  };
  await until('step');
  const during = backend.memory.use();
  await engine.release('another');
  expect(backend.memory.use()).toEqual(during);
  await until('result');
  await events.return();
  await engine.release('another');
  expect(backend.memory.use().sessions).toBe(0);
  await engine.dispose();
});
