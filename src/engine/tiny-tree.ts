/**
 * The tiny model of the training tests as a folder in the diffusers layout, and a host, in memory: a whole engine fits
 * into a test.
 */
import { storedTensor, writeSafetensors } from '../formats/safetensors';
import type { Backend } from '../runtime/backend';
import type { BlobStore } from '../storage/blobs';
import { getImage, putImage } from '../storage/images';
import { TINY_CONFIGS, TINY_MERGES, type TinyConfigs, tinyPart } from '../training/tiny-model';
import { bytesSource, type FileTree } from '../util/byte-source';
import { createTorchRng } from '../util/random';
import type { EngineHost } from './host';

export type Files = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

const text = (value: string) => new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>;
export const jsonFile = (value: object): Uint8Array<ArrayBuffer> => text(JSON.stringify(value));

/** Path → content of the tiny model's folder. @param extra  of model_index.json */
export function tinyFiles(extra: object = {}, configs: TinyConfigs = TINY_CONFIGS): Files {
  const weights = (name: keyof TinyConfigs): Uint8Array<ArrayBuffer> => {
    const { shapes, weight } = tinyPart(name, configs);
    return writeSafetensors(
      Object.fromEntries([...shapes.keys()].map((key) => [key, storedTensor(weight(key))])),
    );
  };
  const { UNet2DConditionModel, AutoencoderKL, CLIPTextModel } = configs;
  return {
    'model_index.json': jsonFile({ name: 'Tiny', license: 'mit', ...extra }),
    'unet/config.json': jsonFile({ _class_name: 'UNet2DConditionModel', ...UNet2DConditionModel }),
    'unet/diffusion_pytorch_model.safetensors': weights('UNet2DConditionModel'),
    'vae/config.json': jsonFile({ _class_name: 'AutoencoderKL', ...AutoencoderKL }),
    'vae/diffusion_pytorch_model.safetensors': weights('AutoencoderKL'),
    'text_encoder/config.json': jsonFile({ architectures: ['CLIPTextModel'], ...CLIPTextModel }),
    'text_encoder/model.safetensors': weights('CLIPTextModel'),
    'tokenizer/merges.txt': text(TINY_MERGES),
    'tokenizer/tokenizer_config.json': jsonFile({ model_max_length: 12 }),
    'scheduler/scheduler_config.json': jsonFile({ _class_name: 'DDIMScheduler' }),
  };
}

export const treeOf = (files: Files, name = 'tiny'): FileTree => ({
  name,
  open: async (path) => (files[path] ? bytesSource(path, files[path]) : null),
});

/** @param extra  of model_index.json */
export const tinyTree = (extra: object = {}): FileTree => treeOf(tinyFiles(extra));

/** Everything in one store of blobs. */
export const tinyHost = (backend: Backend, tree: FileTree, blobs: BlobStore): EngineHost => ({
  startBackend: async () => ({ backend, capabilities: {} as never }),
  openModel: async () => tree,
  readImage: (id) => getImage(blobs, id),
  writeImage: (pixels, name) => putImage(blobs, pixels, name),
  readBytes: (id) => blobs.get(id),
  writeBytes: (bytes) => blobs.put(bytes),
  deleteBytes: (id) => blobs.delete(id),
});

/** A stored picture of noise, 24 × 20 px. */
export function tinyPicture(host: EngineHost, seed: number): ReturnType<EngineHost['writeImage']> {
  const noise = createTorchRng(seed).rand(24 * 20 * 4);
  const data = Uint8ClampedArray.from(noise, (v, i) => (i % 4 === 3 ? 255 : 255 * v));
  return host.writeImage({ data, width: 24, height: 20 }, `picture ${seed}`);
}
