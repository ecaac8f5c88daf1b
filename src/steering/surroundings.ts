/** Where neither the photo's subject is nor the concept would be. */
import type { DiffusionModel } from '../diffusion/model';
import { spreadTimesteps } from '../diffusion/score';
import { lookForSubject } from '../diffusion/subject-mask';
import { type NdArray, zip } from '../util/nd-array';
import { phrasesOf, promptDiff } from '../util/prompt-diff';
import type { SteerOptions } from './options';

/** Looks at the photo, spread over the noise levels, as many as an edit takes before its first step. */
const LOOKS = 10;

export interface SurroundingsInputs {
  /** photo [1,C,h,w], already × scaling factor */
  readonly source: NdArray;
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
  /** what the concept is one of; where the frozen model sees such a thing in the photo, the concept may take shape */
  readonly classWord: string;
  /** states [1,L,D] of the source prompt */
  readonly context: NdArray;
  readonly seed: number;
  /** looked at before every network call */
  readonly signal?: AbortSignal | undefined;
}

/**
 * 1 − min(1, M / subjectFrom), M the soft mask that an edit with these prompts confines itself to (METHOD.md E10): the
 * frozen model's attention to the words that the target prompt replaces. A concept of another class takes another shape, and
 * the frozen model, told that the photo shows that class, attends to its word where it expects its parts: there M is
 * the larger of both (ours).
 *
 * @returns [1,1,h,w] in [0,1]; null where the prompts differ in no subject
 */
export async function surroundings(
  model: Pick<DiffusionModel, 'embed' | 'watch' | 'schedule'>,
  { source, sourcePrompt, targetPrompt, classWord, context, seed, signal }: SurroundingsInputs,
  { tMin, tMax, subjectFrom }: Pick<SteerOptions, 'tMin' | 'tMax' | 'subjectFrom'>,
): Promise<NdArray | null> {
  const timesteps = spreadTimesteps(tMin, tMax, LOOKS);
  const look = async (prompt: string, phrases: string[], states: NdArray): Promise<NdArray | null> => {
    const watched = model.watch(prompt, phrases);
    const looks = { latent: source, context: states, timesteps, seed, signal };
    return watched && lookForSubject(watched, model.schedule, looks);
  };
  const { subject, replacement } = promptDiff(sourcePrompt, targetPrompt);
  const phrases = subject === null ? [] : phrasesOf(subject);
  const there = await look(sourcePrompt, phrases, context);
  if (!there) return null;
  const changes = replacement !== null && classWord !== '' && !phrases.includes(classWord);
  const told = changes ? targetPrompt.replace(replacement, () => classWord) : '';
  const grown = changes ? await look(told, [classWord], await model.embed(told)) : null;
  const { data, shape } = grown ? zip(Math.max, there, grown) : there;
  return { data: data.map((v) => 1 - Math.min(1, v / subjectFrom)), shape };
}
