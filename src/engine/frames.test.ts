import { afterAll, expect, test } from 'vitest';
import type { Recipe } from '../document/document';
import { editMethods } from '../editing/methods';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { memoryBlobs } from '../storage/blobs';
import { createLocalEngine } from './engine';
import type { EditResult } from './events';
import { tinyHost, tinyPicture, tinyTree } from './tiny-tree';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const host = tinyHost(backend, tinyTree(), memoryBlobs());
const engine = createLocalEngine(host);
afterAll(() => engine.dispose());
const { id, width, height } = await tinyPicture(host, 1);

async function edit(method: string, mask: string | null = null): Promise<EditResult> {
  const recipe: Recipe = {
    app: 'DreamSteerer Studio',
    version: 1,
    model: 'tiny',
    method,
    sourcePrompt: 'a cat',
    targetPrompt: 'a dog',
    subject: 'cat',
    seed: 3,
    options: { ...editMethods[method]!.defaults, steps: 3 },
    photo: { id, width, height },
    square: { x: 2, y: 3, size: 16 },
    mask,
    concept: null,
  };
  const record = { frames: true, directions: true };
  for await (const event of engine.edit({ recipe, record }, new AbortController().signal)) {
    if (event.kind === 'result') return event.value;
  }
  throw new Error('no result');
}
const decode = ({ frames }: EditResult, frame: number, of: 'picture' | 'direction' = 'picture') =>
  engine.decodeFrame({ model: 'tiny', frames: frames!, frame, of });

test.each(['dds-sm', 'p2p'])('the last step of %s is its result, those before are not', async (method) => {
  const result = await edit(method);
  const { data } = await host.readImage(result.square.id);
  expect((await decode(result, 2)).pixels.data).toEqual(data);
  expect((await decode(result, 0)).pixels.data).not.toEqual(data);
  await expect(decode(result, 3)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});

test('where nothing may change every direction is the same even picture, otherwise none is', async () => {
  const data = new Uint8ClampedArray(4 * width * height).map((_, i) => (i % 4 === 3 ? 255 : 0));
  const black = await host.writeImage({ data, width, height }, 'mask');
  const [still, moved] = [await edit('dds-sm', black.id), await edit('dds-sm')];
  const neutral = await decode(still, 0, 'direction');
  expect(neutral.gain).toBe(1);
  expect((await decode(still, 2, 'direction')).pixels).toEqual(neutral.pixels);
  expect((await decode(moved, 2, 'direction')).pixels).not.toEqual(neutral.pixels);
});

test('a frame in the making is finished before its model is freed', async () => {
  const result = await edit('dds-sm');
  const { data } = await host.readImage(result.square.id);
  const [frame] = await Promise.all([decode(result, 2), engine.release('another')]);
  expect(frame.pixels.data).toEqual(data);
});
