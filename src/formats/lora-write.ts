import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { ConceptBase, Network } from './concept-base';
import { kohyaName } from './keys-kohya';
import { type StoredTensor, storedTensor } from './safetensors';
import { type LowRankChange, rankOf, type WeightChange } from './weight-change';

export interface LoraWriteOptions {
  /** of the factors; alphas are always F32, which keeps them exact */
  readonly dtype?: 'F16' | 'F32';
  /** 'kohya' (default) is read by every tool unchanged; 'peft' by diffusers and peft */
  readonly dialect?: 'kohya' | 'peft';
}

/** Tensors and header entries of a LoRA file. */
export interface LoraContent {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * A LoRA as it is stored. Additions are written as `.diff` (kohya only; diffusers refuses those).
 *
 * @throws AppError BAD_REQUEST for replacements and for additions in the peft dialect
 */
export function loraContent(
  changes: Readonly<Record<Network, readonly WeightChange[]>>,
  base: ConceptBase,
  { dtype = 'F16', dialect = 'kohya' }: LoraWriteOptions = {},
): LoraContent {
  const tensors: Record<string, StoredTensor> = {};
  const adapter: Record<string, unknown> = {};
  for (const network of ['unet', 'textEncoder'] as const) {
    const low: LowRankChange[] = [];
    for (const change of changes[network]) {
      const path = change.name.replace(/\.(weight|bias)$/, '');
      const name = kohyaName({ network, path });
      if (change.kind === 'low-rank') {
        low.push(change);
        if (dialect === 'peft') continue;
        const { down, up } = shaped(change, base[network].get(change.name) ?? []);
        tensors[`${name}.lora_down.weight`] = stored(change.name, down, dtype);
        tensors[`${name}.lora_up.weight`] = stored(change.name, up, dtype);
        tensors[`${name}.alpha`] = storedTensor({ data: Float32Array.of(alphaOf(change)), shape: [] });
      } else if (change.kind === 'add' && dialect === 'kohya') {
        tensors[`${name}.${change.name.endsWith('.bias') ? 'diff_b' : 'diff'}`] = stored(
          name,
          change.value,
          dtype,
        );
      } else {
        throw new AppError(
          'BAD_REQUEST',
          `a LoRA file in ${dialect} naming cannot hold what ${change.name} becomes`,
        );
      }
    }
    if (dialect === 'peft' && low.length > 0) Object.assign(adapter, peftConfig(network, low));
    for (const change of dialect === 'peft' ? low : []) {
      const path = `${peftPrefix(network)}.${change.name.replace(/\.weight$/, '')}`;
      const { down, up } = shaped(change, base[network].get(change.name) ?? []);
      tensors[`${path}.lora_A.weight`] = stored(change.name, down, dtype);
      tensors[`${path}.lora_B.weight`] = stored(change.name, up, dtype);
    }
  }
  return { tensors, metadata: dialect === 'peft' ? { lora_adapter_metadata: JSON.stringify(adapter) } : {} };
}

/** alpha = scale · r, as the file stores it */
export const alphaOf = (change: LowRankChange): number => Math.fround(change.scale * rankOf(change));

/** Factors in the rank of the weight: [r,in] and [out,r], for convolutions [r,in,k,k] and [out,r,1,1]. */
function shaped({ down, up }: LowRankChange, weight: readonly number[]): { down: NdArray; up: NdArray } {
  if (weight.length !== 4) return { down, up };
  return {
    down: { data: down.data, shape: [down.shape[0]!, ...weight.slice(1)] },
    up: { data: up.data, shape: [...up.shape, 1, 1] },
  };
}

/** @throws AppError NUMERIC when a value leaves the range of fp16 */
function stored(name: string, array: NdArray, dtype: 'F16' | 'F32'): StoredTensor {
  if (dtype === 'F16' && array.data.some((value) => Math.abs(value) >= 65_520)) {
    throw new AppError('NUMERIC', `${name} holds values beyond the range of fp16: export it as fp32`);
  }
  return storedTensor(array, dtype);
}

const peftPrefix = (network: Network): string => (network === 'unet' ? 'unet' : 'text_encoder');

/** LoraConfig of one network: the first rank and alpha as defaults, the others as patterns. */
function peftConfig(network: Network, changes: readonly LowRankChange[]): Record<string, unknown> {
  const [first] = changes as readonly [LowRankChange];
  // ends of paths, which peft matches: transformers 5 dropped 'text_model.' from its module names, 4 has it
  const path = ({ name }: LowRankChange): string => name.replace(/^text_model\.|\.weight$/g, '');
  const unlike = (of: (change: LowRankChange) => number) =>
    Object.fromEntries(changes.filter((c) => of(c) !== of(first)).map((c) => [path(c), of(c)]));
  const config = {
    r: rankOf(first),
    lora_alpha: alphaOf(first),
    rank_pattern: unlike(rankOf),
    alpha_pattern: unlike(alphaOf),
    target_modules: changes.map(path),
  };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [`${peftPrefix(network)}.${key}`, value]),
  );
}
