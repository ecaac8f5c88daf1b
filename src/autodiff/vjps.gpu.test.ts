import * as ort from 'onnxruntime-web/webgpu';
import { describe, expect, test } from 'vitest';
import { encode, requiredInputs } from '../onnx/encode';
import { cases } from './cases';
import { type CompileGraph, gradcheck } from './gradcheck';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const adapter = await navigator.gpu?.requestAdapter();
const half = adapter?.features.has('shader-f16') ?? false;

const compileFor =
  (provider: 'webgpu' | 'wasm'): CompileGraph =>
  async (g, outputs) => {
    const session = await ort.InferenceSession.create(encode(g, outputs), {
      executionProviders: [provider],
      // a node that WebGPU cannot place is an error, not a slowdown
      ...(provider === 'webgpu' && { extra: { session: { disable_cpu_ep_fallback: '1' } } }),
    });
    const { feeds } = requiredInputs(g, outputs);
    return async (data) => {
      const tensors = feeds.map(({ name, shape }) => [name, new ort.Tensor('float32', data[name]!, shape)]);
      const results = await session.run(Object.fromEntries(tensors));
      return Promise.all(outputs.map(async ({ name }) => (await results[name]!.getData()) as Float32Array));
    };
  };

for (const provider of ['wasm', 'webgpu'] as const) {
  describe.skipIf(provider === 'webgpu' && !adapter)(`gradient rules on ${provider}`, () => {
    for (const [name, byName] of Object.entries(cases)) {
      const needsHalf = name === 'Cast' && provider === 'webgpu';
      test.skipIf(needsHalf && !half)(`${name} agrees with finite differences`, async () => {
        for (const [label, gradCase] of Object.entries(byName)) {
          const errors = await gradcheck(gradCase, compileFor(provider));
          expect(Math.max(...errors), label).toBeLessThan(2e-3);
        }
      });
    }
  });
}
