/**
 * The tiny model of the training tests as a folder in the diffusers layout, and a host, in memory: a whole engine fits
 * into a test.
 */
import { storedTensor, writeSafetensors } from '../formats/safetensors';
import type { Backend } from '../runtime/backend';
import type { WeightStore } from '../runtime/weights';
import type { BlobStore } from '../storage/blobs';
import { getImage, putImage } from '../storage/images';
import { TINY_CONFIGS, TINY_MERGES, tinyModel } from '../training/tiny-model';
import { bytesSource, type FileTree } from '../util/byte-source';
import { createTorchRng } from '../util/random';
import type { EngineHost } from './host';

/** @param extra  of model_index.json */
export async function tinyTree(backend: Backend, extra: object = {}, name = 'tiny'): Promise<FileTree> {
  const { unet, vae, textEncoder } = tinyModel(backend);
  const file = async (weights: WeightStore): Promise<Uint8Array> => {
    const tensors = [...weights.names].map(
      async (key) => [key, storedTensor(await weights.read(key))] as const,
    );
    return writeSafetensors(Object.fromEntries(await Promise.all(tensors)));
  };
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const json = (value: object): Uint8Array => text(JSON.stringify(value));
  const { UNet2DConditionModel, AutoencoderKL, CLIPTextModel } = TINY_CONFIGS;
  const files: Readonly<Record<string, Uint8Array>> = {
    'model_index.json': json({ name: 'Tiny', license: 'mit', ...extra }),
    'unet/config.json': json({ _class_name: 'UNet2DConditionModel', ...UNet2DConditionModel }),
    'unet/diffusion_pytorch_model.safetensors': await file(unet.weights),
    'vae/config.json': json({ _class_name: 'AutoencoderKL', ...AutoencoderKL }),
    'vae/diffusion_pytorch_model.safetensors': await file(vae.weights),
    'text_encoder/config.json': json({ architectures: ['CLIPTextModel'], ...CLIPTextModel }),
    'text_encoder/model.safetensors': await file(textEncoder.weights),
    'tokenizer/merges.txt': text(TINY_MERGES),
    'tokenizer/tokenizer_config.json': json({ model_max_length: 12 }),
    'scheduler/scheduler_config.json': json({ _class_name: 'DDIMScheduler' }),
  };
  return {
    name,
    open: async (path) => (files[path] ? bytesSource(path, files[path]) : null),
  };
}

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
