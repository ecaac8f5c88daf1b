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
import { type Module, moduleNames } from './keys-kohya';
import { adapterMetadata, scaleRule } from './lora-alpha';
import { type LoraPart, otherAdapter, parseLoraKey } from './lora-keys';
import type { TensorFile } from './torch-file';
import type { LowRankChange, WeightChange } from './weight-change';

/** True when a file's keys are those of a LoRA or of a relative of it. */
export const isLora = (keys: Iterable<string>): boolean =>
  [...keys].some((key) => parseLoraKey(key) !== null || otherAdapter(key) !== null);

export interface LoraOptions {
  /** parsed adapter_config.json that lies beside a plain peft file */
  readonly adapterConfig?: unknown;
  /** leave out modules that the base lacks instead of refusing the file */
  readonly partial?: boolean;
}

export interface NetworkChanges {
  readonly unet: readonly WeightChange[];
  readonly textEncoder: readonly WeightChange[];
  readonly match: KeyMatch;
}

type Parts = Partial<Record<LoraPart, string>>;

/**
 * Read a LoRA in any dialect of FORMATS.md 3.2: W' = W + alpha/r · up · down; `.diff` and `.diff_b` add whole weights
 * and biases.
 *
 * @throws AppError UNSUPPORTED_MODEL for relatives of LoRA (by name) and files for another base; BAD_FILE when damaged
 */
export async function readLora(
  file: TensorFile,
  base: ConceptBase,
  options: LoraOptions = {},
): Promise<NetworkChanges> {
  const bad = (what: string) => new AppError('BAD_FILE', `${file.name} ${what}`);
  const found = groupByModule(file);
  checkWidth(file, base);

  const names = moduleNames(base);
  const rule = scaleRule(file.name, options.adapterConfig ?? adapterMetadata(file.name, file.metadata));
  const changes: Record<Network, WeightChange[]> = { unet: [], textEncoder: [] };
  const unmatched: string[] = [];
  const taken = new Set<string>();
  for (const [spelling, parts] of found) {
    const module = names.get(spelling);
    if (!module || !fits(file, module, parts)) {
      unmatched.push(spelling);
      continue;
    }
    const weight = `${module.network} ${module.path}`;
    if (taken.has(weight)) throw bad(`changes ${module.path} twice`);
    taken.add(weight);
    const own = changes[module.network];
    if (parts.down && parts.up) own.push(await lowRank(file, module, parts, rule));
    else if (parts.down || parts.up) throw bad(`has only one of the two factors of ${spelling}`);
    if (parts.diff) own.push(added(await read(file, parts.diff), `${module.path}.weight`, module.shape));
    if (parts.diff_b)
      own.push(added(await read(file, parts.diff_b), `${module.path}.bias`, [module.shape[0]!]));
  }
  const match = { matched: found.size - unmatched.length, total: found.size, unmatched };
  checkMatch(file.name, match, base, options.partial);
  return { ...changes, match };
}

/** Module as the file spells it → its keys. @throws AppError naming an adapter family that is not LoRA */
function groupByModule(file: TensorFile): Map<string, Parts> {
  const found = new Map<string, Parts>();
  for (const key of file.tensors.keys()) {
    const other = otherAdapter(key);
    if (other) {
      throw new AppError('UNSUPPORTED_MODEL', `${file.name} is a ${other}; only plain LoRA is read`, { key });
    }
    const parsed = parseLoraKey(key);
    if (!parsed) {
      throw new AppError('BAD_FILE', `${file.name} is a LoRA, but nothing is known of its tensor ${key}`);
    }
    const parts = found.get(parsed.module) ?? {};
    if (parts[parsed.part]) throw new AppError('BAD_FILE', `${file.name} names ${key} in two ways`);
    found.set(parsed.module, { ...parts, [parsed.part]: key });
  }
  return found;
}

/** Cross-attention keys tell the width of the prompt embeddings a LoRA was trained for, as InvokeAI looks at it. */
function checkWidth(file: TensorFile, base: ConceptBase): void {
  if ([...file.tensors.keys()].some((key) => /^(lora_te2_|text_encoder_2\.)/.test(key))) {
    throw otherBase(file.name, 2048, base);
  }
  for (const [key, { shape }] of file.tensors) {
    if (!/attn2[._](?:processor\.)?to_[kv](?:\.|_lora\.)/.test(key) || parseLoraKey(key)?.part !== 'down')
      continue;
    const width = sizeOf(shape.slice(1));
    if (shape.length >= 2 && width !== textWidth(base)) throw otherBase(file.name, width, base);
  }
}

/** Whether the shapes found go with the module's weight, convolutions and 1×1 projections in any rank. */
function fits(file: TensorFile, { shape }: Module, parts: Parts): boolean {
  const [out] = shape as readonly [number];
  const width = sizeOf(shape) / out;
  const size = (key?: string): readonly number[] | undefined =>
    key === undefined ? undefined : file.tensors.get(key)!.shape;
  const [down, up, diff, bias] = [size(parts.down), size(parts.up), size(parts.diff), size(parts.diff_b)];
  if (down && up) {
    const r = down[0] ?? 0;
    if (r === 0 || sizeOf(down) !== r * width || up[0] !== out || sizeOf(up) !== r * out) return false;
  }
  return (!diff || sizeOf(diff) === sizeOf(shape)) && (!bias || sizeOf(bias) === out);
}

async function lowRank(
  file: TensorFile,
  module: Module,
  parts: Parts,
  rule: ReturnType<typeof scaleRule>,
): Promise<LowRankChange> {
  const [down, up] = [await read(file, parts.down!), await read(file, parts.up!)];
  const r = down.shape[0]!;
  const alpha = parts.alpha && (await read(file, parts.alpha)).data;
  if (alpha && alpha.length !== 1) {
    throw new AppError('BAD_FILE', `${file.name}: ${parts.alpha} is not one number`);
  }
  return {
    kind: 'low-rank',
    name: `${module.path}.weight`,
    down: { data: down.data, shape: [r, down.data.length / r] },
    up: { data: up.data, shape: [module.shape[0]!, r] },
    scale: alpha ? alpha[0]! / r : rule(module.network, module.path, r),
  };
}

const added = ({ data }: NdArray, name: string, shape: readonly number[]): WeightChange => ({
  kind: 'add',
  name,
  value: { data, shape },
});

/** A tensor of a concept. @throws AppError BAD_FILE when it holds NaN or infinities */
export async function read(file: TensorFile, key: string): Promise<NdArray> {
  const array = await file.readFloat32(key);
  if (!array.data.every(Number.isFinite)) {
    throw new AppError(
      'BAD_FILE',
      `${file.name}: ${key} holds numbers that are not finite; its training diverged`,
    );
  }
  return array;
}
