/** Which source token each target token attends like: the mappers of Prompt-to-Prompt. */
import type { EncodedPrompt } from '../diffusion/tokenizer';
import { AppError } from '../util/errors';
import { type NdArray, zeros } from '../util/nd-array';

export interface Alignment {
  /** [L,L]: a map of target token j is Σ_i mapper[i,j] × the map of source token i */
  readonly mapper: NdArray;
  /** [L]: 1 where target token j takes a source map, 0 where it is new and keeps its own */
  readonly aligned: Float32Array;
  /** tokens of source and target that differ, without padding */
  readonly changed: { readonly source: readonly number[]; readonly target: readonly number[] };
}

/**
 * Word by word: prompts of equally many words, of which some are exchanged. A word of as many tokens as its replacement
 * gives them its maps one by one; else each token of the replacement gets the sum of the word's maps, divided by the
 * number of its tokens. A learned word is one word however many vectors it has.
 *
 * The Google code pairs tokens behind the last exchanged word by their number, which shifts them when a word and its
 * replacement differ in length; here they are paired by their place. A word is CLIP's (punctuation is one of its own),
 * not what spaces separate.
 *
 * @throws AppError BAD_REQUEST when the word counts differ
 * @see Hertz et al. 2022, "Prompt-to-Prompt", arXiv:2208.01626, "word swap"; seq_aligner.get_replacement_mapper
 */
export function replaceAlignment(source: EncodedPrompt, target: EncodedPrompt): Alignment {
  if (source.spans.length !== target.spans.length) {
    throw new AppError(
      'BAD_REQUEST',
      `replacing words needs descriptions of equally many words, not ${source.spans.length} and ${target.spans.length}`,
    );
  }
  const length = source.ids.length;
  const mapper = zeros([length, length]);
  const changed = { source: [] as number[], target: [] as number[] };
  const pair = (i: number, j: number, weight = 1): void => {
    mapper.data[i * length + j] = weight;
  };
  pair(0, 0);
  for (const [k, from] of source.spans.entries()) {
    const to = target.spans[k]!;
    const [sources, targets] = [range(from.begin, from.end), range(to.begin, to.end)];
    if (from.word !== to.word) {
      changed.source.push(...sources);
      changed.target.push(...targets);
    }
    for (const [n, j] of targets.entries()) {
      if (sources.length === targets.length) pair(sources[n]!, j);
      else for (const i of sources) pair(i, j, 1 / targets.length);
    }
  }
  pairEnds(source, target, pair);
  return { mapper, aligned: new Float32Array(length).fill(1), changed };
}

/**
 * Token by token: what both prompts have in common is aligned, what the target adds is new. Needleman–Wunsch with the
 * reference's scores (match 1, mismatch −1, gap 0) and its order of choice among equals.
 *
 * Padding continues behind the end of each prompt; the Google code pairs it by number.
 *
 * @see Hertz et al. 2022, arXiv:2208.01626, "adding a new phrase"; seq_aligner.get_mapper
 */
export function refineAlignment(source: EncodedPrompt, target: EncodedPrompt): Alignment {
  const length = source.ids.length;
  const mapper = zeros([length, length]);
  const aligned = new Float32Array(length).fill(1);
  const pairs = alignedPairs(source.ids.slice(0, source.length), target.ids.slice(0, target.length));
  const taken = new Set<number>();
  const changed = { source: [] as number[], target: [] as number[] };
  for (const [j, i] of pairs.entries()) {
    if (i === null) aligned[j] = 0;
    else mapper.data[i * length + j] = 1;
    if (i === null || source.ids[i] !== target.ids[j]) changed.target.push(j);
    else taken.add(i);
  }
  changed.source.push(...range(0, source.length).filter((i) => !taken.has(i)));
  pairEnds(source, target, (i, j) => {
    mapper.data[i * length + j] = 1;
  });
  return { mapper, aligned, changed };
}

/** End and padding: each to its like behind the other prompt's last word. */
function pairEnds(source: EncodedPrompt, target: EncodedPrompt, pair: (i: number, j: number) => void): void {
  const last = source.ids.length - 1;
  for (let j = target.length - 1; j <= last; j++) {
    pair(Math.min(source.length - 1 + j - (target.length - 1), last), j);
  }
}

/** For each token of y the token of x that it is aligned with, or null. */
function alignedPairs(x: readonly number[], y: readonly number[]): (number | null)[] {
  const best = Array.from({ length: x.length + 1 }, () => new Int32Array(y.length + 1));
  for (let i = 1; i <= x.length; i++) {
    for (let j = 1; j <= y.length; j++) {
      const both = best[i - 1]![j - 1]! + (x[i - 1] === y[j - 1] ? 1 : -1);
      best[i]![j] = Math.max(best[i]![j - 1]!, best[i - 1]![j]!, both);
    }
  }
  const pairs = new Array<number | null>(y.length).fill(null);
  for (let [i, j] = [x.length, y.length]; j > 0; ) {
    if (i === 0 || best[i]![j] === best[i]![j - 1]) j--;
    else if (best[i]![j] === best[i - 1]![j]) i--;
    else pairs[--j] = --i;
  }
  return pairs;
}

const range = (begin: number, end: number): number[] =>
  Array.from({ length: end - begin }, (_, i) => begin + i);
