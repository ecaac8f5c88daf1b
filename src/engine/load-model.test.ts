import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSafetensors, storedTensor, writeSafetensors } from '../formats/safetensors';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { bytesSource, type FileTree } from '../util/byte-source';
import { ndArray } from '../util/nd-array';
import { loadImageEncoder } from './load-model';

const golden = await openSafetensors(
  bytesSource(
    'tiny',
    readFileSync(new URL('../models/golden/tiny_clip_vision.safetensors', import.meta.url)),
  ),
);
const config = JSON.parse(golden.metadata.config!) as Record<string, unknown>;
const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });

async function treeOf(json: object, extra: Record<string, number[]> = {}): Promise<FileTree> {
  const tensors = Object.fromEntries([
    ...(await Promise.all(
      [...golden.tensors.keys()]
        .filter((name) => name.startsWith('w.'))
        .map(async (name) => [name.slice(2), storedTensor(await golden.readFloat32(name))] as const),
    )),
    ...Object.entries(extra).map(
      ([name, data]) => [name, storedTensor(ndArray(data, [data.length]))] as const,
    ),
  ]);
  const files: Record<string, Uint8Array> = {
    'config.json': new TextEncoder().encode(JSON.stringify(json)),
    'preprocessor_config.json': new TextEncoder().encode(
      JSON.stringify({ image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }),
    ),
    'model.safetensors': writeSafetensors(tensors),
  };
  return { name: 'clip', open: async (name) => (files[name] ? bytesSource(name, files[name]) : null) };
}

test.each([
  ['alone', config, {}],
  [
    'in a whole CLIP',
    { architectures: ['CLIPModel'], projection_dim: config.projection_dim, vision_config: config },
    { logit_scale: [4] },
  ],
])('an image encoder %s gives the reference’s unit vectors', async (_, json, extra) => {
  const encoder = await loadImageEncoder(await treeOf(json, extra), backend, '');
  const pixels = await golden.readFloat32('in.pixel_values');
  const expected = await golden.readFloat32('out.image_embeds');
  const [batch, width] = expected.shape as [number, number];
  for (let i = 0; i < batch; i++) {
    const size = pixels.data.length / batch;
    const picture = ndArray(pixels.data.slice(i * size, (i + 1) * size), [1, ...pixels.shape.slice(1)]);
    const row = expected.data.subarray(i * width, (i + 1) * width);
    const length = Math.hypot(...row);
    const vector = await encoder.embed(picture);
    for (const [k, v] of vector.entries()) expect(v).toBeCloseTo(row[k]! / length, 4);
  }
  await encoder.dispose();
});
