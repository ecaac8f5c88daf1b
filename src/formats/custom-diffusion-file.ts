import { AppError } from '../util/errors';
import { type NdArray, sizeOf } from '../util/nd-array';
import {
  type ConceptBase,
  checkMatch,
  type KeyMatch,
  type Network,
  otherBase,
  textWidth,
} from './concept-base';
import { inverted, LDM_PREFIX, ldmUNetNames } from './keys-ldm';
import { read } from './lora';
import { type StoredTensor, storedTensor } from './safetensors';
import type { ConceptToken } from './textual-inversion';
import type { TensorFile } from './torch-file';
import type { ReplaceChange, WeightChange } from './weight-change';

/** diffusers: '<attention>.processor.to_k_custom_diffusion.weight', a full weight of '<attention>.to_k.weight'. */
const PROCESSOR = /^(?:unet\.)?(.+)\.processor\.(to_[qkv]|to_out)_custom_diffusion(\.0)?\.(weight|bias)$/;

/** True for diffusers' processors, Adobe's deltas, and plain weights in the base's names. */
export const isWeights = (keys: Iterable<string>, base: ConceptBase): boolean =>
  [...keys].some((key) => {
    const name = key.replace(/^(unet|text_encoder)\./, '').replace(/\.[uv]$/, '');
    return PROCESSOR.test(key) || isAdobe(key) || base.unet.has(name) || base.textEncoder.has(name);
  });

const isAdobe = (key: string): boolean => /^(modifier_token\.|state_dict\.)/.test(key);

interface Place {
  readonly network: Network;
  readonly name: string;
  /** 'u' and 'v' of Adobe's compressed deltas: W' = W + u·v */
  readonly part: 'full' | 'u' | 'v';
}

/**
 * Read a file of full weights and words: Custom Diffusion as diffusers saves it, Adobe's `delta.bin` in full and
 * compressed form (with LDM names, too), or weights under the base's own names.
 *
 * @throws AppError UNSUPPORTED_MODEL for a file for another base
 * @see FORMATS.md 3.3; adobe-research/custom-diffusion, src/compress.py
 */
export async function readWeights(
  file: TensorFile,
  base: ConceptBase,
  options: { readonly partial?: boolean } = {},
): Promise<{ changes: Record<Network, readonly WeightChange[]>; tokens: ConceptToken[]; match: KeyMatch }> {
  const changes: Record<Network, WeightChange[]> = { unet: [], textEncoder: [] };
  const tokens: ConceptToken[] = [];
  const unmatched: string[] = [];
  const factors = new Map<string, Partial<Record<'u' | 'v', NdArray>>>();
  const placeOf = placer(base);
  for (const [key, { shape }] of file.tensors) {
    const word = /^modifier_token\.(.+)$/.exec(key)?.[1];
    if (word !== undefined) tokens.push(await readToken(file, key, word, base));
    else if (key === 'state_dict.embed') tokens.push(...(await readEmbed(file, key, base)));
    else if (!isEmptyProcessor(key, shape)) {
      const place = placeOf(key);
      const expected = place && base[place.network].get(place.name);
      if (!place || !expected) unmatched.push(key);
      else if (place.part === 'full') {
        checkShape(file, key, shape, expected, base);
        const value = { data: (await read(file, key)).data, shape: expected };
        changes[place.network].push({ kind: 'replace', name: place.name, value });
      } else {
        const id = `${place.network} ${place.name}`;
        factors.set(id, { ...factors.get(id), [place.part]: await read(file, key) });
      }
    }
  }
  for (const [id, { u, v }] of factors) {
    const [network, name] = id.split(' ') as [Network, string];
    const [out, width] = base[network].get(name)! as readonly [number, number];
    const r = v?.shape[0] ?? 0;
    if (!u || !v || sizeOf(u.shape) !== out * r || sizeOf(v.shape) !== r * width) {
      throw new AppError(
        'BAD_FILE',
        `${file.name}: u and v of ${name} do not make a delta of [${out},${width}]`,
      );
    }
    // Adobe's compression keeps no direction at all when the first one alone explains enough
    if (r === 0) continue;
    const [down, up] = [
      { data: v.data, shape: [r, width] },
      { data: u.data, shape: [out, r] },
    ];
    changes[network].push({ kind: 'low-rank', name, down, up, scale: 1 });
  }
  const matched = changes.unet.length + changes.textEncoder.length;
  const match = { matched, total: matched + unmatched.length, unmatched };
  checkMatch(file.name, match, base, options.partial);
  const names = [...changes.unet, ...changes.textEncoder].map(({ name }) => name);
  if (new Set(names).size !== names.length)
    throw new AppError('BAD_FILE', `${file.name} changes a weight twice`);
  return { changes, tokens, match };
}

/** A file's key → the weight of the base that it stands for, whether the base has it or not. */
function placer(base: ConceptBase): (key: string) => Place | null {
  const fromLdm = inverted(ldmUNetNames(base.unet.keys()));
  return (key) => {
    const processor = PROCESSOR.exec(key);
    if (processor) {
      const [, attention, projection, zero = '', ending] = processor;
      return { network: 'unet', name: `${attention}.${projection}${zero}.${ending}`, part: 'full' };
    }
    const factor = /^(.*\.(?:weight|bias))\.([uv])$/.exec(key);
    const [plain, part] = factor ? [factor[1]!, factor[2] as 'u' | 'v'] : [key, 'full' as const];
    const ldm = `state_dict.${LDM_PREFIX.unet}`;
    if (plain.startsWith(ldm)) {
      const name = fromLdm.get(plain.slice(ldm.length));
      return name === undefined ? null : { network: 'unet', name, part };
    }
    const network = plain.startsWith('text_encoder.') || base.textEncoder.has(plain) ? 'textEncoder' : 'unet';
    return { network, name: plain.replace(/^(unet|text_encoder)\./, ''), part };
  };
}

/** The entry that stands for an attention without trained weights; see `customDiffusionTensors`. */
const isEmptyProcessor = (key: string, shape: readonly number[]): boolean =>
  key.endsWith('.processor') && sizeOf(shape) === 0;

function checkShape(
  file: TensorFile,
  key: string,
  found: readonly number[],
  expected: readonly number[],
  base: ConceptBase,
): void {
  if (sizeOf(found) === sizeOf(expected) && found[0] === expected[0]) return;
  if (/attn2/.test(key) && /to_[kv]/.test(key) && found.length === 2 && found[1] !== expected[1]) {
    throw otherBase(file.name, found[1]!, base);
  }
  throw new AppError(
    'UNSUPPORTED_MODEL',
    `${file.name} was made for another model: ${key} is [${found}], in ${base.id} [${expected}]`,
  );
}

async function readToken(
  file: TensorFile,
  key: string,
  token: string,
  base: ConceptBase,
): Promise<ConceptToken> {
  const { data, shape } = await read(file, key);
  const width = textWidth(base);
  if (shape.at(-1) !== width) throw otherBase(file.name, shape.at(-1) ?? 0, base);
  return { token, vectors: { data, shape: [data.length / width, width] } };
}

/** The LDM form of Adobe's files keeps the vectors of <new1>, <new2>, … as the rows of one tensor. */
async function readEmbed(file: TensorFile, key: string, base: ConceptBase): Promise<ConceptToken[]> {
  const { vectors } = await readToken(file, key, '<new1>', base);
  const [n, width] = vectors.shape as readonly [number, number];
  return Array.from({ length: n }, (_, i) => ({
    token: `<new${i + 1}>`,
    vectors: { data: vectors.data.subarray(i * width, (i + 1) * width), shape: [1, width] },
  }));
}

/**
 * Weights of cross-attention as diffusers' Custom Diffusion processors. Every attention of the UNet without trained
 * weights gets a tensor of length 0 named '<attention>.processor': safetensors cannot hold the empty dictionary that
 * diffusers counts on, and it takes length 0 for one.
 *
 * @throws AppError BAD_REQUEST for weights that these processors do not have, or K without V
 */
export function customDiffusionTensors(
  changes: readonly ReplaceChange[],
  base: ConceptBase,
  dtype: 'F16' | 'F32' = 'F32',
): Record<string, StoredTensor> {
  const tensors: Record<string, StoredTensor> = {};
  const trained = new Map<string, Set<string>>();
  for (const { name, value } of changes) {
    const match = /^(.+\.attn[12])\.(to_[qkv]|to_out)(\.0)?\.(weight|bias)$/.exec(name);
    if (!match) throw new AppError('BAD_REQUEST', `a Custom Diffusion file has no place for ${name}`);
    const [, attention, projection, zero = '', ending] = match;
    tensors[`${attention}.processor.${projection}_custom_diffusion${zero}.${ending}`] = storedTensor(
      value,
      dtype,
    );
    trained.set(attention!, (trained.get(attention!) ?? new Set()).add(projection!));
  }
  for (const name of base.unet.keys()) {
    const attention = /^(.+\.attn[12])\.to_q\.weight$/.exec(name)?.[1];
    if (attention === undefined) continue;
    const parts = trained.get(attention);
    if (!parts) tensors[`${attention}.processor`] = storedTensor({ data: new Float32Array(0), shape: [0] });
    else if (!(parts.has('to_k') && parts.has('to_v')) || parts.has('to_q') !== parts.has('to_out')) {
      throw new AppError(
        'BAD_REQUEST',
        `${attention}: Custom Diffusion files hold K with V, and Q with the output`,
      );
    }
  }
  return tensors;
}
