import { afterAll, beforeEach, expect, test } from 'vitest';
import type { CopyEvent } from '../storage/model-copy';
import { modelsFolder, openModel, withModelLock } from '../storage/models';
import { type PickedFolder, pickedFolder } from '../storage/picked-folder';
import { connect } from '../util/connect';
import type { Files } from './files';

const worker = connect<Files>(
  () => new Worker(new URL('../../workers/files.worker.ts', import.meta.url), { type: 'module' }),
);
const files = worker.api;
afterAll(() => worker.terminate());

const weights = 'unet/diffusion_pytorch_model.safetensors';
const folder = (index: object = {}, size = 40 << 20): PickedFolder =>
  pickedFolder('My Model 1.5', [
    { path: 'model_index.json', file: new Blob([JSON.stringify(index)]) },
    { path: weights, file: new Blob([new Uint8Array(size).fill(7)]) },
    { path: 'holiday.jpg', file: new Blob(['not of the model']) },
  ]);
const paths = ['model_index.json', weights];

async function copy(
  picked: PickedFolder,
  each: (event: CopyEvent, abort: AbortController) => void = () => {},
): Promise<CopyEvent[]> {
  const abort = new AbortController();
  const events: CopyEvent[] = [];
  for await (const event of worker.run((api) => api.importModel(picked, paths), abort.signal)) {
    events.push(event);
    each(event, abort);
  }
  return events;
}

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const name of (await modelsFolder()).keys()) found.push(name);
  return found;
}

beforeEach(async () => {
  for (const name of await names()) await files.removeModel(name);
});

test('a model is copied with its progress, listed under its name, opened, and removed', async () => {
  const events = await copy(folder({ _class_name: 'StableDiffusionPipeline' }));
  const copied = events.flatMap((event) => (event.kind === 'copied' ? [event.bytes / event.total] : []));
  expect(copied).toEqual(copied.toSorted((a, b) => a - b));
  expect(copied.length).toBeGreaterThan(4);
  const result = events.at(-1)!;
  const [model] = await files.models();
  expect(result).toMatchObject({ kind: 'result', known: false, value: { id: model!.id } });
  expect(model).toMatchObject({
    label: 'My Model 1.5',
    id: expect.stringMatching(/^my-model-1\.5-[0-9a-f]{12}$/),
  });
  expect(model!.bytes).toBeGreaterThan(40 << 20);

  const tree = await openModel(model!.id, document.baseURI);
  expect(tree.name).toBe(model!.id);
  const source = (await tree.open(weights))!;
  expect(source.size).toBe(40 << 20);
  expect(await source.read(source.size - 2, source.size)).toEqual(Uint8Array.of(7, 7));
  const index = (await tree.open('model_index.json'))!;
  expect(JSON.parse(new TextDecoder().decode(await index.read(0, index.size)))).toEqual({
    _class_name: 'StableDiffusionPipeline',
    name: 'My Model 1.5',
  });
  expect(await tree.open('holiday.jpg')).toBeNull();

  await files.removeModel(model!.id);
  await files.removeModel(model!.id);
  expect(await files.models()).toEqual([]);
  await expect(openModel(model!.id, document.baseURI)).rejects.toMatchObject({ code: 'UNSUPPORTED_MODEL' });
});

test('the same files are one model, whatever their folder is called; other files are another', async () => {
  await copy(folder({ name: 'One' }));
  const again = { ...folder({ name: 'One' }), name: 'Elsewhere' };
  expect(await copy(again)).toMatchObject([{ kind: 'result', known: true, value: { label: 'One' } }]);
  await copy(folder({ name: 'Two' }));
  await copy(folder({ name: 'One' }, 39 << 20));
  expect((await files.models()).map(({ label }) => label)).toEqual(['One', 'One', 'Two']);
});

test('cancelled in the middle, nothing is left', async () => {
  await expect(copy(folder(), ({ kind }, abort) => kind === 'copied' && abort.abort())).rejects.toMatchObject(
    { name: 'AbortError' },
  );
  expect(await names()).toEqual([]);
});

test('a file that cannot be written leaves nothing either, and the next copy works', async () => {
  const blocked = { ...folder(), files: [...folder().files, { path: 'unet', file: new Blob(['x']) }] };
  const abort = new AbortController();
  const events = worker.run((api) => api.importModel(blocked, ['unet', ...paths]), abort.signal);
  await expect(Array.fromAsync(events)).rejects.toThrow();
  expect(await names()).toEqual([]);
  await copy(folder());
  expect(await names()).toHaveLength(1);
});

test('what a closed page left half copied goes with the next list, unless another tab is at it', async () => {
  const half = async (id: string): Promise<void> => {
    const at = await (await modelsFolder()).getDirectoryHandle(id, { create: true });
    await (await at.getDirectoryHandle('unet', { create: true })).getFileHandle('x', { create: true });
  };
  await half('left');
  await half('busy');
  await withModelLock('busy', async () => {
    expect(await files.models()).toEqual([]);
    expect(await names()).toEqual(['busy']);
  });
  await files.models();
  expect(await names()).toEqual([]);
});

test('a model that the browser has no room for is refused before a byte is written', async () => {
  const { quota = 0 } = await navigator.storage.estimate();
  const file = new File([new Uint8Array(1 << 20)], 'part');
  const count = Math.ceil(quota / file.size) + 1;
  // a file of many references to one piece: as large as the disk without taking room
  const piece = new Blob(Array(1024).fill(file));
  const huge = new Blob(Array(Math.ceil(count / 1024)).fill(piece));
  const picked = { ...folder(), files: [...folder().files, { path: 'vae/huge', file: huge }] };
  const abort = new AbortController();
  const events = worker.run((api) => api.importModel(picked, [...paths, 'vae/huge']), abort.signal);
  await expect(Array.fromAsync(events)).rejects.toMatchObject({
    code: expect.stringMatching(/^(STORAGE_FULL|TOO_BIG)$/),
  });
  expect(await names()).toEqual([]);
});
