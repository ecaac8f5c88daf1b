import { createModel, type DiffusionModel } from '../src/diffusion/model';
import type { Recipe } from '../src/document/document';
import { editMethods } from '../src/editing/methods';
import { editJob } from '../src/engine/edit-job';
import type { EngineHost } from '../src/engine/host';
import { openBackend } from '../src/runtime/backend';
import type { BackendName } from '../src/runtime/capabilities';
import type { OrtLoader } from '../src/runtime/ort';
import { memoryBlobs } from '../src/storage/blobs';
import { getImage, putImage } from '../src/storage/images';
import { tinyModel } from '../src/training/tiny-model';

/** Edits after which the model is disposed of and loaded again, as when another one is chosen. */
const PER_MODEL = 25;

/**
 * The studio's edit job on a tiny model with random weights, again and again: every edit encodes, conditions, takes two
 * steps, previews, decodes and stores. All edits are alike, so that whatever is still held after one is a leak.
 */
export function createEdits(load: OrtLoader, name: BackendName) {
  const blobs = memoryBlobs();
  const opening = openBackend(name, { load, threads: 1 });
  const unused = () => Promise.reject(new Error('the model is given'));
  const host: EngineHost = {
    startBackend: unused,
    openModel: unused,
    readImage: (id) => getImage(blobs, id),
    writeImage: (pixels, name) => putImage(blobs, pixels, name),
    readBytes: (id) => blobs.get(id),
    writeBytes: (bytes) => blobs.put(bytes),
    deleteBytes: (id) => blobs.delete(id),
  };
  let model: DiffusionModel | null = null;
  let done = 0;
  return async (edits: number): Promise<void> => {
    const backend = await opening;
    const recipe = await theRecipe(host);
    for (let i = 0; i < edits; i++) {
      if (done++ % PER_MODEL === 0) {
        await model?.dispose();
        model = createModel(tinyModel(backend), {});
      }
      const events = editJob(host, async () => model!, { recipe }, new AbortController().signal);
      for await (const _ of events); // an edit runs while its events are asked for
    }
  };
}

async function theRecipe(host: EngineHost): Promise<Recipe> {
  const data = new Uint8ClampedArray(24 * 20 * 4).map((_, i) => (i % 4 === 3 ? 255 : i % 200));
  const { id, width, height } = await host.writeImage({ data, width: 24, height: 20 }, 'photo');
  return {
    app: 'DreamSteerer Studio',
    version: 1,
    model: 'tiny',
    method: 'dds-sm',
    sourcePrompt: 'a cat',
    targetPrompt: 'a dog',
    subject: 'cat',
    seed: 3,
    options: { ...editMethods['dds-sm']!.defaults, steps: 2 },
    photo: { id, width, height },
    square: { x: 2, y: 3, size: 16 },
    mask: null,
    concept: null,
  };
}
