import { expect, test } from 'vitest';
import { brokenDriver } from './broken-driver';
import { type Environment, probeCapabilities } from './capabilities';
import { loadOrtWeb } from './ort-web';
import { startBackend } from './start';

test('a software adapter is passed over for WASM', async ({ skip }) => {
  skip(!(await probeCapabilities()).adapter?.software, 'this browser has a graphics card');
  const { backend, capabilities } = await startBackend({ load: loadOrtWeb });
  expect(capabilities.adapter).toMatchObject({ software: true });
  expect(backend.name).toBe('wasm');
  expect(capabilities.notes.join()).toMatch(/computes on the CPU/);
});

test('by force WebGPU is used, in the layout that ORT prefers', async () => {
  const { backend, capabilities } = await startBackend({
    load: loadOrtWeb,
    force: 'webgpu',
    gpuMemory: 2 ** 33,
  });
  expect([backend.name, backend.layout, capabilities.backend]).toEqual(['webgpu', 'NHWC', 'webgpu']);
  expect(backend.allowance).toBe(2 ** 33);
  expect(capabilities.notes.join()).not.toContain('passed over');
  backend.dispose();
});

/** This browser with a graphics card. */
const withCard: Environment = {
  ...globalThis,
  crossOriginIsolated,
  navigator: {
    hardwareConcurrency: navigator.hardwareConcurrency,
    gpu: {
      requestAdapter: async () => {
        const { features, limits } = (await navigator.gpu.requestAdapter())!;
        return { features, limits, info: { vendor: 'qualcomm', architecture: 'adreno-7xx' } };
      },
    } as unknown as GPU,
  },
};
const WRONG = expect.stringMatching(
  /^WebGPU \(.*\) was passed over: known numbers came out \d.* off\.$/,
) as unknown as string;

test('a driver that computes NHWC wrongly is used with NCHW, and without subgroups', async () => {
  const load = brokenDriver(loadOrtWeb, (p) => typeof p !== 'string' && p.preferredLayout === 'NHWC');
  const { backend, capabilities } = await startBackend({ load, env: withCard });
  expect([backend.name, backend.layout, capabilities.backend]).toEqual(['webgpu', 'NCHW', 'webgpu']);
  expect(backend.sessionOptions.executionProviders).toMatchObject([{ preferredLayout: 'NCHW' }]);
  expect(backend.device!.gpu.features.has('subgroups')).toBe(false);
  const passedOver = capabilities.notes.filter((note) => note.startsWith('WebGPU'));
  expect(passedOver).toEqual([WRONG, WRONG]);
  expect(passedOver[0]).toContain('WebGPU (NHWC)');
  expect(passedOver[1]).toContain('WebGPU (NHWC, no subgroups)');
  backend.dispose();
});

test('a driver that computes everything wrongly is passed over for WASM', async () => {
  const load = brokenDriver(loadOrtWeb, (provider) => typeof provider !== 'string');
  const { backend, capabilities } = await startBackend({ load, env: withCard });
  expect([backend.name, capabilities.backend]).toEqual(['wasm', 'wasm']);
  const passedOver = capabilities.notes.filter((note) => note.startsWith('WebGPU'));
  expect(passedOver).toEqual([WRONG, WRONG, WRONG]);
  expect(passedOver[2]).toContain('WebGPU (NCHW, no subgroups)');
});
