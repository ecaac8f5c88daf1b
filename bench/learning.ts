import { type LearnEvent, learn } from '../src/personalization/learn';
import { personalizationMethods } from '../src/personalization/methods';
import { openBackend } from '../src/runtime/backend';
import type { BackendName } from '../src/runtime/capabilities';
import type { OrtLoader } from '../src/runtime/ort';
import { tinyModel } from '../src/training/tiny-model';
import { ndArray, sizeOf } from '../src/util/nd-array';
import { createTorchRng } from '../src/util/random';

const CHECKPOINT_EVERY = 50;

/** A concept learned on a tiny model with random weights, in parts: each call takes so many steps more. */
export function createLearning(load: OrtLoader, name: BackendName, steps: number) {
  const shape = [1, 3, 16, 16];
  const picture = ndArray(
    createTorchRng(1)
      .rand(sizeOf(shape))
      .map((v) => 2 * v - 1),
    shape,
  );
  let events: AsyncGenerator<LearnEvent, unknown> | null = null;
  return async (count: number): Promise<void> => {
    events ??= learn(
      tinyModel(await openBackend(name, { load, threads: 1 })),
      {
        method: 'custom-diffusion',
        options: { ...personalizationMethods['custom-diffusion']!.defaults, steps, priorPictures: 0 },
        pictures: [picture],
        token: '<new>',
        classWord: 'cat',
        seed: 3,
      },
      { resize: async (image) => image, limits: {}, checkpointEvery: CHECKPOINT_EVERY },
    );
    for (let taken = 0; taken < count; ) {
      const { value, done } = await events.next();
      if (done) return;
      if ((value as LearnEvent).kind === 'step') taken++;
    }
  };
}
