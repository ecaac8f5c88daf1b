/** A training run between two steps, as a safetensors file: weights, moments, samples, and where it stands; or a fit that is still making its samples. */
import { openSafetensors, type StoredTensor, storedTensor, writeSafetensors } from '../formats/safetensors';
import type { SamplingState } from '../steering/guided-sampling';
import type { SteerCheckpoint } from '../steering/steer';
import type { Checkpoint } from '../training/loop';
import { bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { TorchRngState } from '../util/random';
import type { Precision } from './load-model';

const KIND = 'dreamsteerer.checkpoint';
/** Tensors are called '<slot> <weight>'; this slot holds the weights themselves. */
const WEIGHTS = 'weight';
/** and this one what a fit learns from, by number */
const GUIDED = 'guided';
/** and these, by number too, samples in the making and the inverted photo that they start from */
const MAKING = 'making';
const INVERTED = 'inverted';
/** Draws of a generator, at most: a fit's samples take some millions, and restoring one replays them. */
const MAX_DRAWN = 1e9;

/** Which run a checkpoint is of. */
export interface CheckpointRun {
  /** tells runs apart: two that reach the same state write two files, so that neither can delete the other's */
  readonly id: string;
  /** what its networks compute with */
  readonly dtype: 'float32' | 'float16';
}

/** A checkpoint, and the precision in which its run goes on as it began. */
export type StoredCheckpoint = SteerCheckpoint & { readonly precision: Precision };

export function encodeCheckpoint(
  { step, configHash, state, guided = [], sampling = null }: Checkpoint & Partial<SteerCheckpoint>,
  { id, dtype }: CheckpointRun,
): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, StoredTensor> = {};
  const numbered = (arrays: readonly NdArray[]) => arrays.map((array, i) => [String(i), array] as const);
  for (const [slot, values] of Object.entries({
    ...state.slots,
    [WEIGHTS]: state.weights,
    [GUIDED]: numbered(guided),
    [MAKING]: numbered(sampling?.samples.map(({ x }) => x) ?? []),
    [INVERTED]: numbered(sampling?.inverted ?? []),
  })) {
    for (const [name, value] of values) tensors[`${slot} ${name}`] = storedTensor(value);
  }
  return writeSafetensors(tensors, {
    [KIND]: '1',
    run: id,
    dtype,
    step: String(step),
    count: String(state.count),
    config_hash: configHash,
    ...(sampling && {
      sampling: JSON.stringify({ steps: sampling.steps, rngs: sampling.samples.map(({ rng }) => rng) }),
    }),
  });
}

/**
 * Of other runs than a fit's there are no samples.
 *
 * @throws AppError BAD_FILE when it is damaged or no checkpoint
 */
export async function decodeCheckpoint(bytes: Uint8Array): Promise<StoredCheckpoint> {
  const file = await openSafetensors(bytesSource('the checkpoint', bytes));
  const { metadata } = file;
  const [step, count] = [Number(metadata.step), Number(metadata.count)];
  if (metadata[KIND] !== '1' || !Number.isSafeInteger(step) || !Number.isSafeInteger(count)) {
    throw new AppError('BAD_FILE', 'this file is not a checkpoint of a training run');
  }
  const slots: Record<string, Map<string, NdArray>> = {};
  for (const key of file.tensors.keys()) {
    const [slot, name] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
    slots[slot] ??= new Map();
    slots[slot].set(name, await file.readFloat32(key));
  }
  const none = new Map<string, NdArray>();
  const {
    [WEIGHTS]: weights = none,
    [GUIDED]: guided = none,
    [MAKING]: making = none,
    [INVERTED]: inverted = none,
    ...moments
  } = slots;
  const inOrder = (arrays: ReadonlyMap<string, NdArray>): NdArray[] =>
    [...arrays].toSorted(([a], [b]) => Number(a) - Number(b)).map(([, array]) => array);
  return {
    step,
    precision: metadata.dtype === 'float32' ? 'float32' : 'best',
    configHash: metadata.config_hash ?? '',
    state: { count, weights, slots: moments },
    guided: inOrder(guided),
    sampling:
      metadata.sampling === undefined
        ? null
        : samplingState(metadata.sampling, inOrder(making), inOrder(inverted)),
  };
}

/** @throws AppError BAD_FILE */
function samplingState(
  json: string,
  latents: readonly NdArray[],
  inverted: readonly NdArray[],
): SamplingState {
  const { steps, rngs } = parsed(json);
  if (!isCount(steps, MAX_DRAWN) || !Array.isArray(rngs) || rngs.length !== latents.length) {
    throw new AppError('BAD_FILE', 'the checkpoint does not say how far its samples have come');
  }
  const samples = rngs.map((rng: unknown, i) => {
    if (isRngState(rng)) return { x: latents[i]!, rng };
    throw new AppError('BAD_FILE', 'the checkpoint does not say how its samples go on');
  });
  return { steps, inverted, samples };
}

function parsed(json: string): { readonly steps?: unknown; readonly rngs?: unknown } {
  try {
    return Object(JSON.parse(json));
  } catch {
    return {};
  }
}

const isCount = (value: unknown, most: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;

function isRngState(value: unknown): value is TorchRngState {
  const { seed, drawn, spare }: Partial<Record<keyof TorchRngState, unknown>> = Object(value);
  return (
    isCount(seed, 2 ** 32 - 1) && isCount(drawn, MAX_DRAWN) && (spare === null || Number.isFinite(spare))
  );
}
