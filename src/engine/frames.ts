/** The steps of an edit in storage: each can be looked at again, and edits can start from it. */
import type { BlobId, FrameRef, Recipe } from '../document/document';
import { type EditStep, rms } from '../editing/edit-step';
import type { EditStart } from '../editing/score-edit';
import { openSafetensors, type StoredTensor, storedTensor, writeSafetensors } from '../formats/safetensors';
import { bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { type NdArray, ndArray } from '../util/nd-array';
import type { RecordOptions } from './events';
import type { EngineHost } from './host';

/** What a step leaves: a tensor each, `<what>.<step>`, float32 so that a branch goes on bit for bit. */
const name = (what: 'latent' | 'direction' | 'maps' | 'looks', frame: number): string => `${what}.${frame}`;

/** Decoded, a direction of this root mean square is clearly seen and still has colours left for stronger ones. */
const VISIBLE_RMS = 0.15;

/** What the latents belong to; a branch must agree. */
const belongings = ({ model, photo, square }: Recipe): string =>
  JSON.stringify([model, photo.id, square.x, square.y, square.size]);

/** What the subject's maps belong to; a branch that differs looks for itself. */
const lookedFor = ({ sourcePrompt, targetPrompt, subject, options }: Recipe): string =>
  JSON.stringify([sourcePrompt, subject, ...(options.maskFrom === 'both' ? [targetPrompt] : [])]);

/** Collects the steps of one edit; a starter's frame takes 17 kB, with its direction 33 kB. */
export class FrameRecorder {
  readonly #recipe: Recipe;
  readonly #record: RecordOptions;
  readonly #tensors: Record<string, StoredTensor> = {};

  constructor(recipe: Recipe, record: RecordOptions) {
    this.#recipe = recipe;
    this.#record = record;
  }

  add({ index, latent, direction, maps }: Pick<EditStep, 'index' | 'latent' | 'direction' | 'maps'>): void {
    if (this.#record.directions) this.#tensors[name('direction', index)] = storedTensor(direction);
    if (!this.#record.frames) return;
    this.#tensors[name('latent', index)] = storedTensor(latent);
    if (!maps) return;
    this.#tensors[name('maps', index)] = storedTensor(maps.sum);
    this.#tensors[name('looks', index)] = storedTensor(ndArray([maps.count], [1]));
  }

  /** The frames before the branch belong to the edit as well. */
  async adopt(frames: Frames, last: number): Promise<void> {
    for (const [tensor, frame] of frames.tensors) {
      if (frame > last) continue;
      if (tensor.startsWith('direction') ? this.#record.directions : this.#record.frames) {
        this.#tensors[tensor] = await frames.read(tensor);
      }
    }
  }

  /** null when there is nothing to keep */
  async store(host: EngineHost): Promise<BlobId | null> {
    if (Object.keys(this.#tensors).length === 0) return null;
    const metadata = { edit: belongings(this.#recipe), maps: lookedFor(this.#recipe) };
    return host.writeBytes(Uint8Array.from(writeSafetensors(this.#tensors, metadata)));
  }
}

export interface Frames {
  /** tensor → its step */
  readonly tensors: ReadonlyMap<string, number>;
  read(tensor: string): Promise<StoredTensor>;
  /** @throws AppError BAD_REQUEST when it was not recorded */
  latent(frame: number): Promise<NdArray>;
  direction(frame: number): Promise<NdArray>;
  /** What a direction is multiplied by to be seen: one factor for all of an edit, so that strong steps look strong. */
  directionGain(): Promise<number>;
  /** Where an edit with this recipe goes on from. @throws AppError BAD_REQUEST when it is of another photo or model */
  start(frame: number, recipe: Recipe): Promise<EditStart>;
}

/** @throws AppError BAD_FILE when they are not stored */
export async function openFrames(host: EngineHost, id: BlobId): Promise<Frames> {
  const file = await openSafetensors(bytesSource('the steps of the edit', await host.readBytes(id)));
  const tensors = new Map([...file.tensors.keys()].map((tensor) => [tensor, Number(tensor.split('.')[1])]));
  const array = async (what: 'latent' | 'direction', frame: number): Promise<NdArray> => {
    if (tensors.has(name(what, frame))) return file.readFloat32(name(what, frame));
    throw new AppError('BAD_REQUEST', `step ${frame + 1} of that edit has no ${what} in storage`, { frame });
  };
  return {
    tensors,
    read: (tensor) => file.read(tensor),
    latent: (frame) => array('latent', frame),
    direction: (frame) => array('direction', frame),
    async directionGain() {
      const names = [...tensors.keys()].filter((tensor) => tensor.startsWith('direction'));
      const sizes: number[] = [];
      for (const tensor of names) sizes.push(rms(await file.readFloat32(tensor)));
      const median = sizes.sort((a, b) => a - b)[sizes.length >> 1] || VISIBLE_RMS;
      return Math.max(1, VISIBLE_RMS / median);
    },
    async start(frame, recipe) {
      if (file.metadata.edit !== belongings(recipe)) {
        throw new AppError(
          'BAD_REQUEST',
          'an edit goes on from a step on the same photo, square and model only',
        );
      }
      const known = file.metadata.maps === lookedFor(recipe) && tensors.has(name('maps', frame));
      const looks = known && (await file.readFloat32(name('looks', frame)));
      return {
        index: frame,
        latent: await array('latent', frame),
        maps: looks ? { sum: await file.readFloat32(name('maps', frame)), count: looks.data[0]! } : null,
      };
    },
  };
}

/** Where an edit starts: a step of another, or the photo. @throws AppError BAD_REQUEST, BAD_FILE */
export async function startOf(
  host: EngineHost,
  recipe: Recipe,
  from: FrameRef,
  steps: number,
): Promise<{ readonly frames: Frames; readonly start: EditStart }> {
  if (from.frame + 1 >= steps) {
    throw new AppError('BAD_REQUEST', `after step ${from.frame + 1} of ${steps} there is nothing left to do`);
  }
  const frames = await openFrames(host, from.frames);
  return { frames, start: await frames.start(from.frame, recipe) };
}
