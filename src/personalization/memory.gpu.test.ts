import { expect, test } from 'vitest';
import { openBackend } from '../runtime/backend';
import { loadOrtWeb } from '../runtime/ort-web';
import { tinyModel } from '../training/tiny-model';
import { stepOnce } from './memory-cases';

test.each([[[]], [['block']]] as const)(
  'the GPU buffers of a step are predicted to 15 percent, recomputed: %s',
  async (recompute) => {
    const backend = await openBackend('webgpu', { load: loadOrtWeb });
    const { gpu } = backend.device!;
    const made = new Map<GPUBuffer, number>();
    const create = gpu.createBuffer.bind(gpu);
    gpu.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      made.set(buffer, descriptor.size);
      buffer.destroy = () => {
        made.delete(buffer);
        return destroy();
      };
      return buffer;
    };
    const { trainer } = await stepOnce(tinyModel(backend), 'custom-diffusion', recompute);
    const counted = [...made.values()].reduce((sum, size) => sum + size, 0);
    const { weights, activations } = trainer.memory;
    const ratio = (weights + activations) / counted;
    expect(ratio, `predicted ${weights} + ${activations}, counted ${counted}`).toBeGreaterThan(0.85);
    expect(ratio, `predicted ${weights} + ${activations}, counted ${counted}`).toBeLessThan(1.15);
    await trainer.dispose();
    backend.dispose();
  },
  300_000,
);
