import { expect, test } from 'vitest';
import { brokenDriver } from './broken-driver';
import { type Environment, probeCapabilities, usableThreads } from './capabilities';
import { loadOrtNode } from './ort-node';
import { startBackend } from './start';

test('Node starts on its own backend with all cores', async () => {
  const { backend, capabilities } = await startBackend({ load: loadOrtNode });
  expect(backend.name).toBe('node');
  expect(capabilities).toMatchObject({ backends: ['node'], backend: 'node', notes: [] });
  expect(structuredClone(capabilities)).toEqual(capabilities);
});

test('a backend whose numbers are wrong is refused', async () => {
  await expect(startBackend({ load: brokenDriver(loadOrtNode) })).rejects.toMatchObject({ code: 'NUMERIC' });
});

test('a backend that this environment lacks is refused', async () => {
  await expect(startBackend({ load: loadOrtNode, force: 'webgpu' })).rejects.toMatchObject({
    code: 'BAD_REQUEST',
  });
});

const page = (info: Partial<GPUAdapterInfo> | null, isolated = true): Environment => ({
  crossOriginIsolated: isolated,
  navigator: {
    hardwareConcurrency: 8,
    gpu: {
      requestAdapter: async () =>
        info && { info, features: new Set(['shader-f16']), limits: { maxBufferSize: 1 } },
    } as unknown as GPU,
  },
});

test('WebGPU is preferred on a GPU, WASM on a software adapter or none, one thread without isolation', async () => {
  expect(await probeCapabilities(page({ vendor: 'apple', architecture: 'metal-3' }))).toMatchObject({
    backends: ['webgpu', 'wasm'],
    backend: 'webgpu',
    threads: 8,
    adapter: { vendor: 'apple', software: false, shaderF16: true },
    notes: [],
  });
  const software = await probeCapabilities(page({ vendor: 'google', architecture: 'swiftshader' }));
  expect(software).toMatchObject({
    backends: ['webgpu', 'wasm'],
    backend: 'wasm',
    adapter: { software: true },
  });
  expect(software.notes).toHaveLength(1);
  expect(await probeCapabilities(page(null, false))).toMatchObject({
    backends: ['wasm'],
    threads: 1,
    adapter: null,
  });
  expect(usableThreads(page(null, false))).toBe(1);
});

test('an adapter that a starting browser gives late is found', async () => {
  const { navigator } = page({ vendor: 'nvidia', architecture: 'hopper' });
  let asked = 0;
  const late = { requestAdapter: async () => (asked++ < 2 ? null : navigator!.gpu!.requestAdapter()) };
  const env = { crossOriginIsolated: true, navigator: { ...navigator, gpu: late as GPU } };
  expect(await probeCapabilities(env)).toMatchObject({ backend: 'webgpu', adapter: { vendor: 'nvidia' } });
});
