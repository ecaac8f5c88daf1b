import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPONENTS } from '../models/components';
import { timestepEmbedding } from '../models/embeddings';
import { fromInputs } from '../models/params';
import { unet, unetInputs } from '../models/unet';
import { Graph, type Shape } from '../onnx/graph';
import { type Backend, openBackend } from '../runtime/backend';
import { loadOrtWeb } from '../runtime/ort-web';
import { compile } from '../runtime/session';
import { WeightStore } from '../runtime/weights';
import { type NdArray, sizeOf } from '../util/nd-array';
import golden from './golden/tiny-unet.json';

// One whole network on the GPU provider: the sum of what the op tests check one by one.

const wave = (shape: Shape, scale: number, phase: number): NdArray => ({
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => scale * Math.sin(1.7 * i + phase)),
  shape,
});

let gpu: Backend;
let wasm: Backend;
beforeAll(async () => {
  gpu = await openBackend('webgpu', { load: loadOrtWeb });
  wasm = await openBackend('wasm', { load: loadOrtWeb });
});
afterAll(() => gpu.dispose());

test('a tiny UNet on WebGPU, plain and captured, and on WASM gives the numbers of diffusers', async () => {
  const { parse, weights } = COMPONENTS.UNet2DConditionModel;
  const config = parse(golden.config);
  const graph = new Graph();
  const inputs = unetInputs(graph, config, { batch: 1, height: 8, width: 8, tokens: 5 });
  const outputs = { output: unet(graph, fromInputs(graph), inputs, config) };
  const shapes = weights(config);
  const load = async (name: string): Promise<NdArray> => {
    const shape = shapes.get(name)!;
    const gain = shape.length === 1 ? 0.1 : 1.2 / Math.sqrt(sizeOf(shape.slice(1)));
    const array = wave(shape, gain, name.length);
    return /norm.*\.weight$/.test(name) ? { ...array, data: array.data.map((v) => 1 + v) } : array;
  };
  const feeds = {
    sample: wave([1, 4, 8, 8], 1, 0.5),
    time_embedding: timestepEmbedding([321], config.down[0]!.channels, config),
    encoder_hidden_states: wave([1, 5, config.crossAttentionDim], 1, 0.25),
  };
  for (const backend of [wasm, gpu]) {
    const store = new WeightStore(backend, { shapes, load });
    for (const capture of backend === gpu ? [false, true] : [false]) {
      const program = await compile(graph, outputs, store, { capture });
      for (let i = 0; i < (capture ? 2 : 1); i++) {
        const { output } = await program.run(feeds);
        const largest = Math.max(...golden.output.map(Math.abs));
        const error = Math.max(...golden.output.map((v, i) => Math.abs(v - output!.data[i]!))) / largest;
        expect(error).toBeLessThan(1e-4);
      }
      await program.dispose();
    }
    store.dispose();
  }
});
