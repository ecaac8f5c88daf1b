/** What a checkpoint in the diffusers layout says of its weights, without loading them. */
import type { FileTree } from '../util/byte-source';
import { sha256 } from '../util/digest';
import { AppError } from '../util/errors';
import type { ConceptBase, WeightShapes } from './concept-base';
import { openSafetensors, openSharded, type SafetensorsFile } from './safetensors';

/** File names of a diffusers folder, the smaller half-precision variant first. */
const STEMS = ['diffusion_pytorch_model.fp16', 'diffusion_pytorch_model', 'model.fp16', 'model'];

/** Files that may hold a component's weights, the preferred first. @param folder '': the tree itself */
export const weightFiles = (folder: string): readonly string[] =>
  STEMS.flatMap((stem) =>
    ['safetensors', 'safetensors.index.json'].map((ending) => `${folder && `${folder}/`}${stem}.${ending}`),
  );

/**
 * @param folder  of one component; '': the tree itself
 * @throws AppError UNSUPPORTED_MODEL when there are no safetensors in it
 */
export async function openWeights(tree: FileTree, folder: string): Promise<SafetensorsFile> {
  for (const path of weightFiles(folder)) {
    const file = await tree.open(path);
    if (file) return path.endsWith('.json') ? openSharded(tree, path) : openSafetensors(file);
  }
  throw new AppError('UNSUPPORTED_MODEL', `${tree.name} has no safetensors weights in ${folder || 'it'}`, {
    folder,
  });
}

/**
 * The base that concept files are read against and written for. Its hash is over names, shapes and the two outermost
 * convolutions of the UNet, which every fine-tuning changes: reading gigabytes to tell two bases apart would be too slow.
 */
export async function readConceptBase(tree: FileTree): Promise<ConceptBase> {
  const [unet, textEncoder] = await Promise.all([
    openWeights(tree, 'unet'),
    openWeights(tree, 'text_encoder'),
  ]);
  const outermost = await Promise.all(
    ['conv_in.weight', 'conv_out.weight'].map(async (name) => (await unet.readFloat32(name)).data),
  );
  const shapes = shapesOf(unet, (name) => name);
  const names = JSON.stringify([...shapes].sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    id: tree.name,
    sha256: await sha256([names, ...outermost]),
    unet: shapes,
    // transformers 5 leaves the prefix out
    textEncoder: shapesOf(textEncoder, (name) =>
      name.replace(/^(?=embeddings\.|encoder\.|final_layer_norm\.)/, 'text_model.'),
    ),
  };
}

const shapesOf = ({ tensors }: SafetensorsFile, rename: (name: string) => string): WeightShapes =>
  new Map([...tensors].map(([name, { shape }]) => [rename(name), shape]));
