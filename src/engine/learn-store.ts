/** Where a learning job keeps what it has: concept files and checkpoints, each under a name of its own. */
import type { DiffusionModel } from '../diffusion/model';
import type { BlobId, LearnedConcept, RunCheckpoint } from '../document/document';
import type { ConceptBase } from '../formats/concept-base';
import { saveConcept } from '../formats/concept-export';
import type { ConceptAbout } from '../formats/concept-metadata';
import type { LearnOptions } from '../personalization/method';
import { conceptOf, type LearnRequest as TrainingRequest } from '../personalization/plan';
import type { Checkpoint } from '../training/loop';
import { APP_VERSION } from '../util/version';
import { encodeCheckpoint } from './checkpoint-file';
import { CheckpointRing } from './checkpoints';
import { toFileConcept } from './concept-files';
import type { LearnRequest } from './events';
import type { EngineHost } from './host';
import type { RunControls } from './run-controls';

export interface LearnBase extends ConceptBase {
  readonly license: string;
}

/** What files say of the model that something was learned on. */
export const factsOf = (
  { size, schedule: { predictionType } }: DiffusionModel,
  { license }: LearnBase,
): Pick<ConceptAbout, 'resolution' | 'predictionType' | 'license'> => ({
  resolution: size,
  predictionType: predictionType === 'v_prediction' ? predictionType : 'epsilon',
  license,
});

export interface LearnStore {
  /** The concept as it is in a state, stored. */
  learned(checkpoint: Checkpoint): Promise<LearnedConcept>;
  /** State and concept, stored; the oldest of this job beyond the ring, and not kept, are deleted. */
  checkpoint(
    checkpoint: Checkpoint,
  ): Promise<{ readonly checkpoint: RunCheckpoint; readonly dropped: readonly BlobId[] }>;
}

export function createLearnStore(
  host: EngineHost,
  model: DiffusionModel,
  base: LearnBase,
  request: LearnRequest,
  training: TrainingRequest,
  controls: RunControls,
): LearnStore {
  const run = crypto.randomUUID();
  const ring = new CheckpointRing(host, controls);
  const { name, token, classWord, method, seed, pictures } = request;
  const { options } = training;

  const learned = async (at: Checkpoint): Promise<LearnedConcept> => {
    const concept = conceptOf(training, at.state);
    const { subject } = concept;
    const about: ConceptAbout = {
      ...factsOf(model, base),
      title: name,
      method,
      classWord,
      token,
      subject,
      appVersion: APP_VERSION,
      date: new Date().toISOString(),
      training: trainingOf(options, at.step, request),
      settings: options,
    };
    const bytes = await saveConcept(toFileConcept(concept), { base, about });
    const id = await host.writeBytes(bytes);
    const baseHash = base.sha256 ?? null;
    return {
      id,
      name,
      token,
      classWord,
      subject,
      method,
      options,
      steps: at.step,
      pictures,
      seed,
      model: request.model,
      baseHash,
    };
  };

  return {
    learned,
    async checkpoint(at) {
      const state = await host.writeBytes(encodeCheckpoint(at, { id: run, dtype: model.dtype }));
      const checkpoint = { step: at.step, state, learned: await learned(at) };
      return { checkpoint, dropped: await ring.add(state, checkpoint.learned.id) };
    },
  };
}

const trainingOf = (
  { learningRate }: LearnOptions,
  steps: number,
  { seed, pictures }: LearnRequest,
): NonNullable<ConceptAbout['training']> => ({
  steps,
  learningRate,
  seed,
  images: pictures.length,
  optimizer: 'AdamW',
});
