import { expect, test } from 'vitest';
import { loadOrtWeb } from './ort-web';
import { startBackend } from './start';

test('a software adapter is passed over for WASM', async () => {
  const { backend, capabilities } = await startBackend({ load: loadOrtWeb });
  expect(capabilities.adapter).toMatchObject({ software: true });
  expect(backend.name).toBe('wasm');
  expect(capabilities.notes.join()).toMatch(/computes on the CPU/);
});

test.each(['NHWC', 'NCHW'] as const)('by force it passes the self-test with layout %s', async (layout) => {
  const { backend } = await startBackend({ load: loadOrtWeb, force: 'webgpu', layout });
  expect(backend.name).toBe('webgpu');
  backend.dispose();
});
