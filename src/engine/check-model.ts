import { weightFiles } from '../formats/model-folder';
import type { Backend } from '../runtime/backend';
import type { FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';
import type { ModelInfo } from './events';
import { loadModel, readModelInfo } from './load-model';

/** A folder that is a model, and what of it makes up the model. */
export interface CheckedModel {
  readonly model: ModelInfo;
  readonly paths: readonly string[];
}

/** Parts by the names that people know them by; for weights one of several names will do. */
const PARTS: readonly (readonly [what: string, names: readonly string[]])[] = [
  ...['model_index.json', 'scheduler/scheduler_config.json', 'tokenizer/merges.txt'].map(
    (path) => [path, [path]] as const,
  ),
  ...['text_encoder', 'unet', 'vae'].flatMap((folder) => {
    const weights = folder === 'text_encoder' ? 'model' : 'diffusion_pytorch_model';
    return [
      [`${folder}/config.json`, [`${folder}/config.json`]],
      [`${folder}/${weights}.safetensors`, weightFiles(folder)],
    ] as const;
  }),
];

/**
 * Whether a folder holds a model that can be run here: it is opened as every model is, up to its first weight. Configs
 * and headers are read, nothing else.
 *
 * @returns what it is, and the files that were asked for
 * @throws AppError UNSUPPORTED_MODEL naming every part that is missing, or the key of a config that cannot be honoured;
 *                  MISSING_WEIGHT; BAD_FILE; TOO_BIG when it does not fit into memory
 */
export async function checkModel(tree: FileTree, backend: Backend): Promise<CheckedModel> {
  const missing: string[] = [];
  for (const [what, names] of PARTS) {
    const found = await Promise.all(names.map((name) => tree.open(name)));
    if (!found.some(Boolean)) missing.push(what);
  }
  if (missing.length === PARTS.length) {
    throw new AppError(
      'UNSUPPORTED_MODEL',
      `${tree.name} is not a model folder: it has none of model_index.json, unet, vae, text_encoder, tokenizer, scheduler`,
      { missing },
    );
  }
  if (missing.length > 0) {
    throw new AppError('UNSUPPORTED_MODEL', `${tree.name} lacks ${missing.join(', ')}`, { missing });
  }
  const asked = new Set<string>();
  const watched: FileTree = {
    name: tree.name,
    async open(path) {
      const file = await tree.open(path);
      if (file) asked.add(path);
      return file;
    },
  };
  const { model } = await readModelInfo(watched);
  await (await loadModel(watched, backend, 'best')).dispose();
  return { model, paths: [...asked] };
}
