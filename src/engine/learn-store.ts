/** Where a learning job keeps what it has: concept files and checkpoints, each under a name of its own. */
import type { BlobId, ConceptCheckpoint, LearnedConcept } from '../document/document';
import type { ConceptBase } from '../formats/concept-base';
import { saveConcept } from '../formats/concept-export';
import type { ConceptAbout } from '../formats/concept-metadata';
import type { LearnOptions } from '../personalization/method';
import { conceptOf, type LearnRequest as TrainingRequest } from '../personalization/plan';
import type { Checkpoint } from '../training/loop';
import { APP_VERSION } from '../util/version';
import { encodeCheckpoint } from './checkpoint-file';
import { toFileConcept } from './concept-files';
import type { LearnRequest } from './events';
import type { EngineHost } from './host';
import type { LearnControls } from './learn-controls';

/** Checkpoints that stay, besides those a person keeps. */
const RING = 3;

export interface LearnStore {
  /** The concept as it is in a state, stored. */
  learned(checkpoint: Checkpoint): Promise<LearnedConcept>;
  /** State and concept, stored; the oldest of this job beyond the ring, and not kept, are deleted. */
  checkpoint(
    checkpoint: Checkpoint,
  ): Promise<{ readonly checkpoint: ConceptCheckpoint; readonly dropped: readonly BlobId[] }>;
}

export function createLearnStore(
  host: EngineHost,
  base: ConceptBase,
  request: LearnRequest,
  training: TrainingRequest,
  facts: Pick<ConceptAbout, 'resolution' | 'predictionType' | 'license'>,
  controls: LearnControls,
): LearnStore {
  const run = crypto.randomUUID();
  const ring: ConceptCheckpoint[] = [];
  const { name, token, classWord, method, seed, pictures, model } = request;
  const { options } = training;

  const learned = async (at: Checkpoint): Promise<LearnedConcept> => {
    const concept = conceptOf(training, at.state);
    const { subject } = concept;
    const about: ConceptAbout = {
      ...facts,
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
      model,
      baseHash,
    };
  };

  return {
    learned,
    async checkpoint(at) {
      const state = await host.writeBytes(encodeCheckpoint(at, run));
      const checkpoint = { step: at.step, state, learned: await learned(at) };
      ring.push(checkpoint);
      const dropped: BlobId[] = [];
      for (const old of ring.filter((each) => !controls.keeps(each.state)).slice(0, -RING)) {
        await host.deleteBytes(old.state);
        await host.deleteBytes(old.learned.id);
        ring.splice(ring.indexOf(old), 1);
        dropped.push(old.state);
      }
      return { checkpoint, dropped };
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
