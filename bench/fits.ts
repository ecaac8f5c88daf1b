import type { LearnedConcept } from '../src/document/document';
import { createLocalEngine, type LocalEngine } from '../src/engine/engine';
import { tinyHost, tinyPicture, tinyTree } from '../src/engine/tiny-tree';
import { personalizationMethods } from '../src/personalization/methods';
import { openBackend } from '../src/runtime/backend';
import type { BackendName } from '../src/runtime/capabilities';
import type { OrtLoader } from '../src/runtime/ort';
import { memoryBlobs } from '../src/storage/blobs';

const { signal } = new AbortController();

/**
 * The studio's fit job on a tiny model with random weights, again and again: every fit encodes, inverts, makes guided
 * samples, compiles, trains and stores. What it stored is forgotten, as it is where nothing refers to it.
 */
export function createFits(load: OrtLoader, name: BackendName) {
  const blobs = memoryBlobs();
  const opening = (async () => {
    const backend = await openBackend(name, { load, threads: 1 });
    const all = { samples: 2, ddimSteps: 2, steps: 2 };
    const host = tinyHost(backend, tinyTree({ steering: { all } }), blobs);
    const engine = createLocalEngine(host);
    const photo = await tinyPicture(host, 3);
    const concept = await learned(engine, photo.id);
    return { engine, photo, concept, kept: new Set(await blobs.list()) };
  })();
  let seed = 0;
  return async (fits: number): Promise<void> => {
    const { engine, photo, concept, kept } = await opening;
    for (let i = 0; i < fits; i++) {
      const fit = engine.fit(
        {
          model: 'tiny',
          concept,
          photo: { id: photo.id, square: { x: 2, y: 3, size: 16 } },
          sourcePrompt: 'a dog',
          targetPrompt: 'a cat',
          subject: 'dog',
          options: {},
          seed: seed++,
          resume: null,
        },
        signal,
      );
      for await (const _ of fit); // a fit runs while its events are asked for
      for (const id of await blobs.list()) if (!kept.has(id)) await blobs.delete(id);
    }
  };
}

async function learned(engine: LocalEngine, id: string): Promise<LearnedConcept> {
  const method = 'custom-diffusion';
  const job = engine.learn(
    {
      model: 'tiny',
      name: 'Miso',
      token: '<miso>',
      classWord: 'cat',
      pictures: [{ id, square: { x: 2, y: 3, size: 16 } }],
      method,
      options: { ...personalizationMethods[method]!.defaults, steps: 1, batch: 1, priorPictures: 0 },
      seed: 1,
      resume: null,
    },
    signal,
  );
  for await (const event of job) if (event.kind === 'result') return event.value.learned;
  throw new Error('nothing was learned');
}
