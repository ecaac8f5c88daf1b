/** How a concept is learned, and what a run of learning leaves in it. */
import { plannedSteps } from './concepts';
import type {
  BlobId,
  Concept,
  ConceptCheckpoint,
  LearnedConcept,
  OptionValue,
  PresetName,
  RunCheckpoint,
} from './document';

type Options = Readonly<Record<string, OptionValue>>;

export interface LearnPlan {
  /** complete, as they will run */
  readonly options: Options;
  readonly steps: number;
  /** how often each picture is taken; not whole where the person chose the number of steps */
  readonly perPicture: number;
}

/**
 * What would run: the preset and what the person changed of it. Steps of a preset are the same for each picture; steps
 * that a person chose are run as chosen.
 */
export function learnPlan(
  { preset, options: chosen, pictures }: Concept,
  presets: Readonly<Record<PresetName, Options>>,
): LearnPlan {
  const base = presets[preset];
  const known = Object.entries(chosen).filter(([name]) => name in base);
  const options = { ...base, ...Object.fromEntries(known) };
  const count = Math.max(1, pictures.length);
  const steps = 'steps' in chosen ? Number(chosen.steps) : plannedSteps(Number(base.steps), count).steps;
  return { options: { ...options, steps }, steps, perPicture: steps / count };
}

/** Something that decides what is learned was changed since. @param plan null: not known here */
export function outOfDate(concept: Concept, plan: LearnPlan | null): boolean {
  const { learned, pictures, classWord, method, seed } = concept;
  if (!learned || pictures.length === 0) return false;
  const now = pictures.map(({ image, square }) => ({ id: image.id, square }));
  const same =
    JSON.stringify(now) === JSON.stringify(learned.pictures) &&
    classWord === learned.classWord &&
    method === learned.method &&
    seed === learned.seed;
  const options =
    plan && Object.entries(plan.options).some(([name, value]) => learned.options[name] !== value);
  return !same || options === true;
}

/** @param dropped states that were deleted to make room */
export const stillStored = (
  checkpoints: readonly ConceptCheckpoint[],
  dropped: readonly BlobId[],
): readonly ConceptCheckpoint[] =>
  checkpoints.filter(({ state }) => state === null || !dropped.includes(state));

/** The run goes on from here when it is interrupted. @param dropped states that were deleted to make room */
export function putCheckpoint(
  { checkpoints }: Concept,
  checkpoint: RunCheckpoint,
  dropped: readonly BlobId[],
): Partial<Concept> {
  const left = stillStored(checkpoints, dropped).filter(({ state }) => state !== checkpoint.state);
  return { checkpoints: [...left, checkpoint], unfinished: checkpoint.state };
}

export const keepCheckpoint = ({ checkpoints }: Concept, kept: ConceptCheckpoint): Partial<Concept> => ({
  checkpoints: checkpoints.some(({ learned }) => learned.id === kept.learned.id)
    ? checkpoints.map((it) => (it.learned.id === kept.learned.id ? { ...it, kept: true } : it))
    : [...checkpoints, { ...kept, kept: true }],
});

/** There is nothing left to resume; what was learned before stays, and so do checkpoints that were picked. */
export const endRun = ({ checkpoints }: Concept): Partial<Concept> => ({
  checkpoints: checkpoints.filter(({ kept }) => kept),
  unfinished: null,
});

/** The end of a run among its checkpoints. */
export const resultOf = (learned: LearnedConcept): ConceptCheckpoint => ({
  step: learned.steps,
  state: null,
  learned,
});

export const withLearned = (learned: LearnedConcept): Partial<Concept> => ({
  learned,
  token: learned.token,
  model: learned.model,
});

/** Where an interrupted run goes on. */
export const unfinishedRun = ({ checkpoints, unfinished }: Concept): RunCheckpoint | null =>
  checkpoints.find((it): it is RunCheckpoint => it.state !== null && it.state === unfinished) ?? null;
