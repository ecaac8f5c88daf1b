import { expect, test } from 'vitest';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { AppError } from '../util/errors';
import { loadModel } from './load-model';
import { modelCache } from './model-cache';
import { tinyFiles, treeOf } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const files = tinyFiles();

test('models are opened once, freed when asked, and what is kept stays as it is', async () => {
  const opened: string[] = [];
  const { load, release } = modelCache((id, precision) => {
    opened.push(id);
    return loadModel(treeOf(files, id), backend, precision);
  });
  const [a, again, b] = await Promise.all([load('a', 'best'), load('a', 'best'), load('b', 'best')]);
  expect(again).toBe(a);
  const empty = backend.memory.use();
  await a.embed('a cat');
  const one = backend.memory.use();
  await b.embed('a cat');
  expect(backend.memory.use().sessions).toBe(2 * one.sessions);

  await release(['b']);
  expect(backend.memory.use()).toEqual(one);
  expect(await load('b', 'best')).toBe(b);
  expect(await load('a', 'best')).not.toBe(a);
  await release([]);
  expect(backend.memory.use()).toEqual(empty);
  expect(opened).toEqual(['a', 'b', 'a']);
});

test('a model that could not be opened is tried again', async () => {
  let there = false;
  const { load, release } = modelCache(async (id, precision) => {
    if (!there) throw new AppError('UNSUPPORTED_MODEL', 'not yet');
    return loadModel(treeOf(files, id), backend, precision);
  });
  await expect(load('a', 'best')).rejects.toMatchObject({ code: 'UNSUPPORTED_MODEL' });
  there = true;
  expect(await load('a', 'best')).toBeDefined();
  await release([]);
});
