/** Where the words of a prompt are attended to in a picture, as maps to look at. */
import type { UNetPart } from '../diffusion/attention-maps';
import type { PartAttention } from '../diffusion/denoiser';
import type { DiffusionModel } from '../diffusion/model';
import type { Schedule } from '../diffusion/schedule';
import { lookAt } from '../diffusion/score';
import type { EncodedPrompt } from '../diffusion/tokenizer';
import { AppError } from '../util/errors';
import { groups } from '../util/groups';
import { axpby, isFiniteArray, type NdArray, scale } from '../util/nd-array';

export interface WordMap {
  /** 'all': every layer of this size, as the subject mask takes them */
  readonly part: UNetPart | 'all';
  /** places per side */
  readonly size: number;
  /** [size,size]: 0 at the least attended place, 1 at the most; all 0 where every place is alike */
  readonly map: Float32Array;
  /** what 0 and 1 stand for: share of a place's attention that one token of the word has, in [0,1] */
  readonly min: number;
  readonly max: number;
}

/** A word of a prompt; a word of several tokens, or a learned one of several vectors, has their mean. */
export interface WordAttention {
  readonly word: string;
  /** its tokens [begin, end) */
  readonly begin: number;
  readonly end: number;
  readonly maps: readonly WordMap[];
}

export interface LookInputs {
  /** of the network that reads the prompt */
  readonly attend: DiffusionModel['attend'];
  /** clean picture [1,C,h,h] */
  readonly latent: NdArray;
  /** the prompt [1,L,D], and as the same model's tokenizer takes it apart */
  readonly context: NdArray;
  readonly prompt: EncodedPrompt;
  readonly schedule: Schedule;
  /** noise levels to average over, at least one; look number i is that of the subject mask */
  readonly timesteps: readonly number[];
  readonly seed: number;
}

/**
 * The attention of a prompt's words in a picture, averaged over heads, layers and noise levels.
 *
 * @yields  after each look: how many of the looks are done
 * @returns the words in order, their maps by part (encoder, middle, decoder, all), large before small
 * @throws AppError NUMERIC when the network gives numbers that are not finite
 */
export async function* attendToWords(inputs: LookInputs): AsyncGenerator<number, readonly WordAttention[]> {
  const { attend, latent, context, prompt, schedule, timesteps, seed } = inputs;
  let sum: readonly PartAttention[] | null = null;
  for (const [index, t] of timesteps.entries()) {
    const seen = await attend(lookAt(schedule, latent, t, { seed, index }), t, context);
    if (!seen.every(({ maps }) => isFiniteArray(maps))) {
      throw new AppError('NUMERIC', `a look at timestep ${t} gave numbers that are not finite`, { t });
    }
    sum = sum ? sum.map((part, i) => ({ ...part, maps: axpby(1, part.maps, 1, seen[i]!.maps) })) : seen;
    yield index + 1;
  }
  const mean = (sum ?? []).map((part) => ({ ...part, maps: scale(1 / timesteps.length, part.maps) }));
  const parts = ORDER.flatMap((name) => partsNamed(name, mean));
  return prompt.spans.map(({ word, begin, end }) => ({
    word,
    begin,
    end,
    maps: parts.map(({ part, maps }) => wordMap(part, maps, begin, end)),
  }));
}

interface Part {
  readonly part: WordMap['part'];
  /** [1,L,h,w] */
  readonly maps: NdArray;
}

const ORDER = ['encoder', 'middle', 'decoder', 'all'] as const;

const sizeOf = ({ maps }: Part): number => maps.shape[2]!;

function partsNamed(name: Part['part'], mean: readonly PartAttention[]): readonly Part[] {
  const parts = name === 'all' ? together(mean) : mean.filter(({ part }) => part === name);
  return parts.toSorted((a, b) => sizeOf(b) - sizeOf(a));
}

/** Parts of one size as one: each map counts as much as any other. */
function together(parts: readonly PartAttention[]): readonly Part[] {
  return groups(parts, sizeOf).map((alike) => {
    const count = alike.reduce((n, part) => n + part.count, 0);
    const maps = alike
      .map((part) => scale(part.count / count, part.maps))
      .reduce((a, b) => axpby(1, a, 1, b));
    return { part: 'all', maps };
  });
}

/** Mean of tokens [begin, end), stretched over [0,1]. */
function wordMap(part: Part['part'], { data, shape }: NdArray, begin: number, end: number): WordMap {
  const [, , height, width] = shape as [number, number, number, number];
  const places = height * width;
  const mean = new Float32Array(places);
  for (let token = begin; token < end; token++) {
    for (let i = 0; i < places; i++) mean[i]! += data[token * places + i]! / (end - begin);
  }
  const [min, max] = [Math.min(...mean), Math.max(...mean)];
  const map = mean.map((v) => (max > min ? (v - min) / (max - min) : 0));
  return { part, size: height, map, min, max };
}
