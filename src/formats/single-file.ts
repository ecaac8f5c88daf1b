import type { ByteSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import type { WeightShapes } from './concept-base';
import { LDM_PREFIX, ldmUNetNames, ldmVaeNames, openClipTensor } from './keys-ldm';
import { openSafetensors, readerOf, type SafetensorsFile } from './safetensors';
import type { TensorInfo } from './safetensors-header';
import { type ConfigJson, clipPrefix, textConfigOf, unetConfigOf, vaeConfigOf } from './single-file-config';

export type SingleFileComponent = 'unet' | 'vae' | 'textEncoder';

/** A whole Stable Diffusion in one file, as A1111 and ComfyUI keep it. */
export interface SingleFile {
  readonly family: 'sd1' | 'sd2';
  /** nine input channels: latent, mask, masked latent */
  readonly isInpainting: boolean;
  /** null: weights do not tell, and the header is silent (Stable Diffusion 2 exists in both) */
  readonly predictionType: 'epsilon' | 'v_prediction' | null;
  readonly configs: Readonly<Record<SingleFileComponent, ConfigJson>>;
  /**
   * A component under its diffusers names.
   *
   * @param names  every weight that its config asks for
   */
  component(component: SingleFileComponent, names: WeightShapes): SafetensorsFile;
}

/** True when the names in a header are those of a single-file checkpoint. */
export const isSingleFile = (tensors: ReadonlyMap<string, unknown>): boolean =>
  tensors.has(`${LDM_PREFIX.unet}input_blocks.0.0.weight`);

/**
 * Open a single-file checkpoint; reads its header only.
 *
 * @throws AppError UNSUPPORTED_MODEL for other families (SDXL has two text encoders), MISSING_WEIGHT when a component
 *                  is not in the file
 * @see FORMATS.md 3.4
 */
export async function openSingleFile(source: ByteSource): Promise<SingleFile> {
  const file = await openSafetensors(source);
  const shapes: WeightShapes = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
  if (!isSingleFile(shapes))
    throw new AppError('BAD_FILE', `${source.name} is not a Stable Diffusion checkpoint`);
  const unet = unetConfigOf(shapes);
  const family = unet.cross_attention_dim === 768 ? 'sd1' : unet.cross_attention_dim === 1024 ? 'sd2' : null;
  if (family === null) {
    const what =
      unet.cross_attention_dim === 2048
        ? 'Stable Diffusion XL'
        : `a model of text width ${unet.cross_attention_dim}`;
    throw new AppError(
      'UNSUPPORTED_MODEL',
      `${source.name} is ${what}; single files of Stable Diffusion 1 and 2 are read`,
    );
  }
  const spec = file.metadata['modelspec.prediction_type'];
  return {
    family,
    isInpainting: unet.in_channels === 9,
    predictionType: spec === 'v' ? 'v_prediction' : spec === 'epsilon' || family === 'sd1' ? 'epsilon' : null,
    configs: { unet, vae: vaeConfigOf(shapes, 0.18215), textEncoder: textConfigOf(shapes) },
    component: (component, names) => {
      const placeOf = places(component, names, shapes);
      const tensors = new Map<string, TensorInfo>();
      for (const [name, shape] of names) {
        const { key, third } = placeOf(name);
        const info = file.tensors.get(key);
        if (info) tensors.set(name, third === undefined ? squeezed(info, shape) : part(info, third));
      }
      return readerOf(source, { metadata: file.metadata, tensors });
    },
  };
}

/** diffusers name → key of the file, and which third of it. */
function places(component: SingleFileComponent, names: WeightShapes, shapes: WeightShapes) {
  if (component === 'textEncoder') {
    const prefix = clipPrefix(shapes);
    const isOpen = shapes.has(`${LDM_PREFIX.openClip}token_embedding.weight`);
    return (name: string): { key: string; third?: 0 | 1 | 2 } => {
      if (!isOpen) return { key: prefix + name.replace(/^text_model\./, '') };
      const { name: key, ...rest } = openClipTensor(name);
      return { key: LDM_PREFIX.openClip + key, ...rest };
    };
  }
  const map = component === 'unet' ? ldmUNetNames(names.keys()) : ldmVaeNames(names.keys());
  return (name: string): { key: string; third?: 0 | 1 | 2 } => ({
    key: LDM_PREFIX[component] + map.get(name),
  });
}

/** LDM keeps the VAE's attention as 1×1 convolutions. */
const squeezed = (info: TensorInfo, wanted: readonly number[]): TensorInfo =>
  info.shape.length === 4 && wanted.length === 2 && info.shape[2] === 1 && info.shape[3] === 1
    ? { ...info, shape: info.shape.slice(0, 2) }
    : info;

/** One of three tensors stacked along the first axis: a third of the bytes. */
function part(info: TensorInfo, third: 0 | 1 | 2): TensorInfo {
  const [rows, ...rest] = info.shape as readonly [number, ...number[]];
  if (rows % 3 !== 0)
    throw new AppError('BAD_FILE', `a stacked projection has ${rows} rows, not a multiple of 3`);
  const bytes = (info.end - info.begin) / 3;
  const begin = info.begin + third * bytes;
  return { ...info, shape: [rows / 3, ...rest], begin, end: begin + bytes };
}
