import { describe } from 'vitest';
import { openBackend } from '../runtime/backend';
import { loadOrtWeb } from '../runtime/ort-web';
import { stepTests } from './step-cases';

for (const name of ['wasm', 'webgpu'] as const) {
  describe(`training steps on ${name}`, () => {
    const backend = openBackend(name, { load: loadOrtWeb, threads: 1 });
    stepTests(() => backend);
  });
}
