import { AppError } from '../util/errors';
import { type NdArray, sizeOf } from '../util/nd-array';
import type { Concept } from './concept';
import type { ConceptBase, Network } from './concept-base';
import {
  type ConceptAbout,
  type ConceptKind,
  conceptMetadata,
  tokensEntry,
  writeHashed,
} from './concept-metadata';
import { customDiffusionTensors } from './custom-diffusion-file';
import { alphaOf, type LoraWriteOptions, loraContent } from './lora-write';
import { type StoredTensor, storedTensor } from './safetensors';
import { truncatedSvd } from './svd';
import { bareToken, type ConceptToken, embeddingTensors } from './textual-inversion';
import { applyChange, type ReplaceChange, rankOf, type WeightChange } from './weight-change';

/** A file to save or to put into a zip. */
export interface NamedFile {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What every writer needs besides the concept. */
export interface ConceptContext {
  readonly base: ConceptBase;
  readonly about: ConceptAbout;
}

type Header = Readonly<Record<string, string>>;

const save = (
  tensors: Readonly<Record<string, StoredTensor>>,
  ...headers: Header[]
): Promise<Uint8Array<ArrayBuffer>> => writeHashed(tensors, Object.assign({}, ...headers));

const header = (
  kind: ConceptKind,
  { about, base }: ConceptContext,
  tokens: readonly ConceptToken[],
  network?: { rank: number; alpha: number },
): Header => conceptMetadata(kind, about, base, tokens, network);

/** One word as a Textual Inversion file. `layout: 'diffusers'` keeps several vectors under the word. */
export const writeTextualInversion = (
  token: ConceptToken,
  context: ConceptContext,
  layout: 'common' | 'diffusers' = 'common',
): Promise<Uint8Array<ArrayBuffer>> =>
  save(embeddingTensors(token, layout), header('textual-inversion', context, [token]));

/**
 * Low-rank changes as a LoRA file. Words travel in its header, so that our own reader gets the whole concept back from
 * one file; other tools take them from the Textual Inversion file beside it.
 */
export async function writeLora(
  concept: Concept,
  context: ConceptContext,
  options: LoraWriteOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { tensors, metadata } = loraContent(concept, context.base, options);
  const low = [...concept.unet, ...concept.textEncoder].filter((change) => change.kind === 'low-rank');
  const network = {
    rank: Math.max(0, ...low.map(rankOf)),
    alpha: Math.max(0, ...low.map(alphaOf)),
  };
  return save(
    tensors,
    header('lora', context, concept.tokens, network),
    tokensEntry(concept.tokens),
    metadata,
  );
}

/**
 * Full K and V (Q, output) of cross-attention as diffusers' Custom Diffusion, words in the header. Loads with
 * `pipe.unet.load_attn_procs(dir, weight_name="pytorch_custom_diffusion_weights.safetensors", _pipeline=pipe)`.
 *
 * @throws AppError BAD_REQUEST when the concept changes anything else
 */
export async function writeCustomDiffusion(
  concept: Concept,
  context: ConceptContext,
  dtype: 'F16' | 'F32' = 'F32',
): Promise<Uint8Array<ArrayBuffer>> {
  const replaced = concept.unet.filter((change) => change.kind === 'replace');
  if (replaced.length !== concept.unet.length || concept.textEncoder.length > 0) {
    throw new AppError('BAD_REQUEST', 'a Custom Diffusion file holds full weights of the UNet only');
  }
  const tensors = customDiffusionTensors(replaced, context.base, dtype);
  return save(tensors, header('custom-diffusion', context, concept.tokens), tokensEntry(concept.tokens));
}

/** Full weights under the base's own names, 'unet.…' and 'text_encoder.…', words in the header. */
async function writeWeights(concept: Concept, context: ConceptContext): Promise<Uint8Array<ArrayBuffer>> {
  const named = (prefix: string, changes: readonly WeightChange[]) =>
    changes.map((change) => {
      if (change.kind === 'replace') return [`${prefix}.${change.name}`, storedTensor(change.value)] as const;
      throw new AppError(
        'BAD_REQUEST',
        `a file of full weights has no place for an update of ${change.name}`,
      );
    });
  const tensors = Object.fromEntries([
    ...named('unet', concept.unet),
    ...named('text_encoder', concept.textEncoder),
  ]);
  return save(tensors, header('weights', context, concept.tokens), tokensEntry(concept.tokens));
}

/** as diffusers looks for it */
const CUSTOM_DIFFUSION = 'diffusers/pytorch_custom_diffusion_weights.safetensors';
/** Keys and values of cross-attention: what Custom Diffusion trains. */
const isCustomDiffusion = ({ unet, textEncoder }: Concept): boolean =>
  textEncoder.length === 0 && unet.every(({ name }) => /\.attn2\.to_[kv]\.weight$/.test(name));

/** where diffusers looks for a whole network, by name of ours */
const NETWORK_FOLDERS = {
  unet: ['unet', 'diffusion_pytorch_model'],
  textEncoder: ['text_encoder', 'model'],
} as const;

/** Networks that a concept replaces from end to end, as full DreamBooth does; null when it leaves weights alone. */
function wholeNetworks(concept: Concept, base: ConceptBase): readonly Network[] | null {
  const changed = (['unet', 'textEncoder'] as const).filter((network) => concept[network].length > 0);
  const isWhole = (network: Network): boolean =>
    concept[network].length === base[network].size &&
    concept[network].every(({ kind }) => kind === 'replace');
  return changed.length > 0 && changed.every(isWhole) ? changed : null;
}

/** A whole network as a folder of diffusers: `UNet2DConditionModel.from_pretrained(folder)`. Words in the header. */
async function writeNetwork(
  network: Network,
  concept: Concept,
  context: ConceptContext,
  readConfig: ReadConfig,
): Promise<NamedFile[]> {
  const [folder, stem] = NETWORK_FOLDERS[network];
  const tensors = concept[network].flatMap((change) =>
    change.kind === 'replace' ? [[change.name, storedTensor(change.value)] as const] : [],
  );
  const words = network === 'unet' ? concept.tokens : [];
  const bytes = await save(
    Object.fromEntries(tensors),
    header('weights', context, concept.tokens),
    tokensEntry(words),
  );
  return [
    { name: `${folder}/${stem}.safetensors`, bytes },
    { name: `${folder}/config.json`, bytes: new Uint8Array(await readConfig(network)) },
  ];
}

const writeReplacements = (concept: Concept, context: ConceptContext): Promise<Uint8Array<ArrayBuffer>> =>
  isCustomDiffusion(concept) ? writeCustomDiffusion(concept, context) : writeWeights(concept, context);

/**
 * A learned concept as one file, exact: what is kept in storage and what `readConcept` gives back number for number.
 * For other programs there is `writeConcept`.
 *
 * @throws AppError BAD_REQUEST for an empty concept or one of mixed kinds
 */
export function saveConcept(concept: Concept, context: ConceptContext): Promise<Uint8Array<ArrayBuffer>> {
  const changes = [...concept.unet, ...concept.textEncoder];
  if (changes.some(({ kind }) => kind === 'replace')) return writeReplacements(concept, context);
  if (changes.length > 0) return writeLora(concept, context, { dtype: 'F32' });
  const [token, ...others] = concept.tokens;
  if (!token || others.length > 0) {
    throw new AppError('BAD_REQUEST', `a file holds one learned word, not ${concept.tokens.length}`);
  }
  return writeTextualInversion(token, context);
}

/** A weight of the unchanged base, float32. */
export type ReadWeight = (network: Network, name: string) => Promise<NdArray>;

/** The base's config.json of a network, as it is. */
export type ReadConfig = (network: Network) => Promise<Uint8Array>;

export interface LowRankFit {
  readonly concept: Concept;
  /** share of the squared norm of all deltas that the low-rank ones keep, in [0,1] */
  readonly keptEnergy: number;
  /** the same per weight, '<network> <name>' */
  readonly perWeight: ReadonlyMap<string, number>;
}

/**
 * Replace full weights by low-rank changes: the truncated SVD of W' − W, alpha = r.
 *
 * @param rank  16 to 64 in practice
 */
export async function toLowRank(concept: Concept, rank: number, readBase: ReadWeight): Promise<LowRankFit> {
  const perWeight = new Map<string, number>();
  let total = 0;
  let kept = 0;
  const lower = async (network: Network, change: WeightChange): Promise<WeightChange> => {
    if (change.kind !== 'replace') return change;
    const delta = await difference(change, await readBase(network, change.name));
    // biases have no low rank; they stay exact
    if (delta.value.shape.length < 2) return delta;
    const [out] = delta.value.shape as readonly [number];
    const { data } = delta.value;
    const svd = truncatedSvd({ data, shape: [out, sizeOf(delta.value.shape) / out] }, rank);
    const energy = data.reduce((sum, x) => sum + x * x, 0);
    total += energy;
    kept += svd.keptEnergy * energy;
    perWeight.set(`${network} ${change.name}`, svd.keptEnergy);
    // alpha = rank even where a narrow weight has less: diffusers mixes up alphas that differ between modules
    const r = svd.down.shape[0]!;
    const up = { data: svd.up.data.map((x) => (x * r) / rank), shape: svd.up.shape };
    return { kind: 'low-rank', name: change.name, down: svd.down, up, scale: rank / r };
  };
  const each = async (network: Network): Promise<WeightChange[]> => {
    const changes: WeightChange[] = [];
    for (const change of concept[network]) changes.push(await lower(network, change));
    return changes;
  };
  const changed = { ...concept, unet: await each('unet'), textEncoder: await each('textEncoder') };
  return { concept: changed, keptEnergy: total === 0 ? 1 : kept / total, perWeight };
}

/** Replacements as exact additions, which kohya-style `.diff` files hold (A1111, ComfyUI, InvokeAI; not diffusers). */
export async function toAdditions(concept: Concept, readBase: ReadWeight): Promise<Concept> {
  const each = (network: Network): Promise<WeightChange[]> =>
    Promise.all(
      concept[network].map(async (change) =>
        change.kind === 'replace' ? difference(change, await readBase(network, change.name)) : change,
      ),
    );
  return { ...concept, unet: await each('unet'), textEncoder: await each('textEncoder') };
}

async function difference({ name, value }: ReplaceChange, weight: NdArray) {
  const negative = { data: weight.data.map((w) => -w), shape: weight.shape };
  return { kind: 'add', name, value: applyChange(negative, { kind: 'add', name, value }) } as const;
}

export interface ExportOptions extends Omit<LoraWriteOptions, 'dialect'> {
  /** of the LoRA that stands in for full weights */
  readonly rank?: number;
  /** needed when the concept holds full weights */
  readonly readBase?: ReadWeight;
  /** needed when the concept replaces whole networks */
  readonly readConfig?: ReadConfig;
  /** also write copies that fewer tools read: peft naming, `.diff` */
  readonly extras?: boolean;
}

export interface ConceptExport {
  /** first the one that works unchanged in diffusers, A1111/Forge, ComfyUI and InvokeAI; of a whole network only diffusers reads it */
  readonly files: readonly NamedFile[];
  /** what the LoRA keeps of full weights, in [0,1]; null when nothing was approximated */
  readonly keptEnergy: number | null;
}

/**
 * The files of an export, after FORMATS.md 3.5: embeddings, or a LoRA with its word beside it; for full weights the
 * LoRA is a truncated SVD, and the exact weights come along as diffusers reads them; whole networks as folders of
 * diffusers.
 *
 * @param stem  of the primary file, e.g. 'miso'
 * @throws AppError BAD_REQUEST for an empty concept, for full weights without `readBase`, for networks without `readConfig`
 */
export async function writeConcept(
  concept: Concept,
  context: ConceptContext,
  stem: string,
  { rank = 32, readBase, readConfig, extras = false, ...lora }: ExportOptions = {},
): Promise<ConceptExport> {
  const changes = [...concept.unet, ...concept.textEncoder];
  const files: NamedFile[] = [];
  const add = (name: string, bytes: Uint8Array<ArrayBuffer>): void => void files.push({ name, bytes });
  let keptEnergy: number | null = null;
  const whole = wholeNetworks(concept, context.base);
  if (whole) {
    if (!readConfig) throw new AppError('BAD_REQUEST', 'whole networks export beside their configuration');
    for (const network of whole) files.push(...(await writeNetwork(network, concept, context, readConfig)));
  } else if (changes.some(({ kind }) => kind === 'replace')) {
    if (!readBase) throw new AppError('BAD_REQUEST', 'full weights export as a LoRA against their base');
    const fit = await toLowRank(concept, rank, readBase);
    keptEnergy = fit.keptEnergy;
    add(`${stem}.safetensors`, await writeLora(fit.concept, context, lora));
    const exact = await writeReplacements(concept, context);
    add(isCustomDiffusion(concept) ? CUSTOM_DIFFUSION : `exact/${stem}.safetensors`, exact);
    if (extras) {
      const exact = await toAdditions(concept, readBase);
      add(`${stem}.diff.safetensors`, await writeLora(exact, context, { ...lora, dtype: 'F32' }));
    }
  } else if (changes.length > 0) {
    add(`${stem}.safetensors`, await writeLora(concept, context, lora));
    if (extras && changes.every(({ kind }) => kind === 'low-rank')) {
      const peft = await writeLora(concept, context, { ...lora, dialect: 'peft' });
      add('diffusers/pytorch_lora_weights.safetensors', peft);
    }
  }
  for (const token of concept.tokens) {
    // A1111, ComfyUI and InvokeAI take the word from the file's name, so it must not change beside a LoRA's
    const word = bareToken(token.token).replace(/[^\p{L}\p{N}._-]+/gu, '_');
    const isPrimary = changes.length === 0 && concept.tokens.length === 1;
    const name = isPrimary ? stem : `embeddings/${word}`;
    add(`${name}.safetensors`, await writeTextualInversion(token, context));
    if (token.vectors.shape[0]! > 1) {
      const named = await writeTextualInversion(token, context, 'diffusers');
      add(`diffusers/${isPrimary ? 'learned_embeds' : word}.safetensors`, named);
    }
  }
  if (files.length === 0) throw new AppError('BAD_REQUEST', 'this concept has learned nothing to export');
  return { files, keptEnergy };
}
