import { createModel, type DiffusionModel, type ModelParts } from '../diffusion/model';
import { createSchedule } from '../diffusion/schedule';
import { parseSchedulerConfig } from '../diffusion/scheduler-config';
import { createTokenizer, tokenizerSettings } from '../diffusion/tokenizer';
import type { EditOverrides } from '../editing/options';
import { familyOf } from '../formats/concept-base';
import { openWeights } from '../formats/model-folder';
import { CLIP_NORMALISATION, createImageEncoder, type ImageEncoder } from '../metrics/clip-image';
import { COMPONENTS, type ComponentName, type ConfigOf } from '../models/components';
import { vaeFactor } from '../models/vae-config';
import { checkWeights } from '../models/weights';
import type { Backend } from '../runtime/backend';
import { type WeightSource, WeightStore } from '../runtime/weights';
import type { SteerOverrides } from '../steering/options';
import type { FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';
import { checkParts, checkResident } from './check-parts';
import type { ModelInfo } from './events';

export type Precision = 'best' | 'float32';

/** Real configs and tokenizer files are below 2 MB; a larger one is not what it claims to be. */
const MAX_TEXT = 16 << 20;

/** A checkpoint in the diffusers layout, ready to run. @throws AppError as `loadParts` */
export const loadModel = async (
  tree: FileTree,
  backend: Backend,
  precision: Precision,
): Promise<DiffusionModel> => {
  const parts = await loadParts(tree, backend, precision);
  const limits = memoryLimits(backend);
  checkParts(tree.name, parts);
  checkResident(tree.name, parts, limits.total);
  return createModel(parts, limits);
};

/**
 * Open a checkpoint in the diffusers layout. Headers and configs are read and compared before any weight is; weights
 * are read when first used.
 *
 * @throws AppError UNSUPPORTED_MODEL naming the file or key that cannot be honoured; MISSING_WEIGHT; BAD_FILE
 * @see FORMATS.md 0.1, 1
 */
export async function loadParts(tree: FileTree, backend: Backend, precision: Precision): Promise<ModelParts> {
  const half = precision === 'best' && (backend.device?.gpu.features.has('shader-f16') ?? false);
  const dtype = half ? 'float16' : 'float32';
  const open = <Name extends ComponentName>(folder: string, classes: readonly Name[]) =>
    openComponent(tree, backend, dtype, folder, classes);
  const [unet, vae, textEncoder, tokenizer, scheduler, index] = await Promise.all([
    open('unet', ['UNet2DConditionModel']),
    open('vae', ['AutoencoderKL', 'AutoencoderTiny']),
    open('text_encoder', ['CLIPTextModel']),
    openTokenizer(tree),
    readJson(tree, 'scheduler/scheduler_config.json'),
    readJson(tree, 'model_index.json', {}),
  ]);
  const schedule = createSchedule(parseSchedulerConfig(scheduler));
  return { unet, vae, textEncoder, tokenizer, schedule, rareWord: rareWordIn(index) };
}

async function openComponent<Name extends ComponentName>(
  tree: FileTree,
  backend: Backend,
  dtype: 'float32' | 'float16',
  folder: string,
  classes: readonly Name[],
  towerOf: (json: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>> = (json) => json,
) {
  const json = towerOf(await readJson(tree, path(folder, 'config.json')));
  const { row, config } = parse(folder, json, classes);
  const file = await openWeights(tree, folder);
  const expected = row.weights(config);
  const { keys } = checkWeights(expected, file.tensors, row.canonical);
  const source: WeightSource = {
    shapes: expected,
    load: async (name) => ({ ...(await file.readFloat32(keys.get(name)!)), shape: expected.get(name)! }),
  };
  // SD's autoencoder overflows in half precision unless its config says otherwise
  const store = 'forceUpcast' in config && config.forceUpcast ? 'float32' : dtype;
  return {
    config,
    weights: new WeightStore(backend, source, { label: folder || tree.name, dtype: store }),
  };
}

/**
 * A CLIP vision tower in a folder of the tree, alone or in a whole CLIPModel (as ViT-B/32 and L/14 are published).
 *
 * @throws AppError as `loadParts`
 */
export async function loadImageEncoder(
  tree: FileTree,
  backend: Backend,
  folder = 'image_encoder',
): Promise<ImageEncoder> {
  const { config, weights } = await openComponent(
    tree,
    backend,
    'float32',
    folder,
    ['CLIPVisionModelWithProjection'],
    ({ vision_config: tower, ...json }) =>
      typeof tower === 'object' && tower !== null
        ? { projection_dim: json.projection_dim ?? 512, ...tower, architectures: [] }
        : json,
  );
  const { image_mean: mean, image_std: std } = await readJson(
    tree,
    path(folder, 'preprocessor_config.json'),
    {},
  );
  const numbers = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length === config.channels && value.every(Number.isFinite);
  const normalisation = numbers(mean) && numbers(std) ? { mean, std } : CLIP_NORMALISATION;
  return createImageEncoder(config, weights, normalisation);
}

const path = (folder: string, name: string): string => (folder ? `${folder}/${name}` : name);

/** method → preset → options that suit a model */
export type LearningOverrides = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>
>;

/** Name, licence and picture size of a checkpoint, from its small files alone, and the options that suit it. */
export async function readModelInfo(tree: FileTree): Promise<{
  model: ModelInfo;
  editing: EditOverrides;
  learning: LearningOverrides;
  steering: SteerOverrides;
}> {
  // By itself and first: of a folder that is no checkpoint, it is the file to name.
  const index = await readJson(tree, 'model_index.json');
  const [unet, vae] = await Promise.all([
    readJson(tree, 'unet/config.json'),
    readJson(tree, 'vae/config.json'),
  ]);
  const { config } = parse('unet', unet, ['UNet2DConditionModel']);
  const factor = vaeFactor(parse('vae', vae, ['AutoencoderKL', 'AutoencoderTiny']).config);
  const text = (key: string, fallback: string): string =>
    typeof index[key] === 'string' ? (index[key] as string) : fallback;
  return {
    model: {
      id: tree.name,
      label: text('name', tree.name),
      size: (config.sampleSize?.[0] ?? 64) * factor,
      family: familyOf(config.crossAttentionDim),
      license: text('license', 'unknown'),
      rareWord: rareWordIn(index),
    },
    editing: mapValues(index.editing, (rows) => mapValues(rows, settingsIn)),
    learning: mapValues(index.learning, (presets) => mapValues(presets, numbersIn)),
    steering: mapValues(index.steering, settingsIn),
  };
}

const rareWordIn = ({ rareWord }: Readonly<Record<string, unknown>>): string =>
  typeof rareWord === 'string' ? rareWord : 'sks';

const mapValues = <T>(value: unknown, each: (value: unknown) => T): Record<string, T> =>
  Object.fromEntries(
    Object.entries(typeof value === 'object' && value !== null ? value : {}).map(([key, inner]) => [
      key,
      each(inner),
    ]),
  );

const numbersIn = (value: unknown): Record<string, number> => optionsIn<number>(value, ['number']);
const settingsIn = (value: unknown): Record<string, number | string> =>
  optionsIn(value, ['number', 'string']);

/** The entries whose values are of these types. */
const optionsIn = <T extends number | string>(
  value: unknown,
  types: readonly ('number' | 'string')[],
): Record<string, T> =>
  Object.fromEntries(
    Object.entries(mapValues(value, (inner) => inner)).filter((entry): entry is [string, T] =>
      (types as readonly string[]).includes(typeof entry[1]),
    ),
  );

/** The row of the table of components whose class the config names. */
function parse<Name extends ComponentName>(
  folder: string,
  json: Readonly<Record<string, unknown>>,
  classes: readonly Name[],
): { row: (typeof COMPONENTS)[Name] & ComponentRow<Name>; config: ConfigOf<Name> } {
  const architectures = Array.isArray(json.architectures) ? json.architectures : [];
  const named = json._class_name ?? architectures[0] ?? classes[0];
  const name = classes.find((candidate) => candidate === named || `${candidate}WithProjection` === named);
  if (!name) {
    throw new AppError('UNSUPPORTED_MODEL', `${folder} is a ${named}; supported: ${classes.join(', ')}`, {
      key: '_class_name',
    });
  }
  // the compiler cannot see that a row of the table fits its own config
  const row = COMPONENTS[name] as (typeof COMPONENTS)[Name] & ComponentRow<Name>;
  return { row, config: row.parse(json) as ConfigOf<Name> };
}

interface ComponentRow<Name extends ComponentName> {
  readonly weights: (config: ConfigOf<Name>) => WeightSource['shapes'];
}

async function openTokenizer(tree: FileTree) {
  const [merges, config, special] = await Promise.all([
    readText(tree, 'tokenizer/merges.txt'),
    readJson(tree, 'tokenizer/tokenizer_config.json', {}),
    readJson(tree, 'tokenizer/special_tokens_map.json', {}),
  ]);
  return createTokenizer({ merges, ...tokenizerSettings(config, special) });
}

async function readText(tree: FileTree, path: string): Promise<string> {
  const file = await tree.open(path);
  if (!file) throw new AppError('UNSUPPORTED_MODEL', `${tree.name} has no ${path}`, { path });
  if (file.size > MAX_TEXT)
    throw new AppError('BAD_FILE', `${path} is ${file.size} bytes, more than ${MAX_TEXT}`);
  return new TextDecoder().decode(await file.read(0, file.size));
}

async function readJson(
  tree: FileTree,
  path: string,
  fallback?: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  if (fallback && !(await tree.open(path))) return fallback;
  const text = await readText(tree, path);
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === 'object' && json !== null && !Array.isArray(json))
      return json as Record<string, unknown>;
  } catch {}
  throw new AppError('BAD_FILE', `${tree.name}: ${path} is not a JSON object`, { path });
}

/** Bytes that a job and, on a GPU, one of its tensors may take. */
export function memoryLimits({ allowance, device }: Backend): {
  readonly total: number;
  readonly tensor?: number;
} {
  return { total: allowance, ...(device && { tensor: device.gpu.limits.maxStorageBufferBindingSize }) };
}
