/** Where the photo's subject is not, and what the plain model is told that it shows there. */
import type { DiffusionModel } from '../diffusion/model';
import { spreadTimesteps } from '../diffusion/score';
import { lookForSubject } from '../diffusion/subject-mask';
import { fillTemplate } from '../personalization/method';
import type { NdArray } from '../util/nd-array';
import { phrasesOf, promptDiff, wordsIn } from '../util/prompt-diff';
import type { SteerOptions } from './options';

/** Looks at the photo, spread over the noise levels, as many as an edit takes before its first step. */
const LOOKS = 10;

/** What the photo shows, and the same with the concept's words in place of its subject. */
export interface FitPrompts {
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
}

export interface SurroundingsInputs extends FitPrompts {
  /** photo [1,C,h,w], already × scaling factor */
  readonly source: NdArray;
  /** states [1,L,D] of the source prompt */
  readonly context: NdArray;
  readonly seed: number;
  /** looked at before every network call */
  readonly signal?: AbortSignal | undefined;
}

/**
 * 1 − min(1, M / subjectFrom), M the soft mask that an edit with these prompts confines itself to (METHOD.md E10): the
 * frozen model's attention to the words that the target prompt replaces.
 *
 * @returns [1,1,h,w] in [0,1]; null where the prompts differ in no subject
 */
export async function surroundings(
  model: Pick<DiffusionModel, 'watch' | 'schedule'>,
  { source, sourcePrompt, targetPrompt, context, seed, signal }: SurroundingsInputs,
  { tMin, tMax, subjectFrom }: Pick<SteerOptions, 'tMin' | 'tMax' | 'subjectFrom'>,
): Promise<NdArray | null> {
  const { subject } = promptDiff(sourcePrompt, targetPrompt);
  const watched = model.watch(sourcePrompt, subject === null ? [] : phrasesOf(subject));
  if (!watched) return null;
  const timesteps = spreadTimesteps(tMin, tMax, LOOKS);
  const looks = { latent: source, context, timesteps, seed, signal };
  const { data, shape } = await lookForSubject(watched, model.schedule, looks);
  return { data: data.map((v) => 1 - Math.min(1, v / subjectFrom)), shape };
}

/**
 * The target prompt with the class word in place of the concept's words, where the photo's subject is of another class.
 * What the plain model says of the photo, told that, any such edit needs there: held to what it says of the source
 * prompt (METHOD.md E2), a concept gives up its new shape with what training disturbed (ours).
 *
 * @returns null where the subject is of that class, or the prompts replace nothing
 */
export function classPrompt({ sourcePrompt, targetPrompt }: FitPrompts, classWord: string): string | null {
  const { subject, replacement } = promptDiff(sourcePrompt, targetPrompt);
  if (subject === null || replacement === null || classWord === '') return null;
  // "old cat" is a cat
  const ofClass = (phrase: string): boolean =>
    ` ${phrase}`.toLowerCase().endsWith(` ${classWord.toLowerCase()}`);
  if (phrasesOf(subject).some(ofClass)) return null;
  const everywhere = new RegExp(wordsIn(replacement), 'giu');
  return fillTemplate(targetPrompt.replace(everywhere, '{}'), classWord);
}
