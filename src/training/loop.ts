import type { Arrays } from '../runtime/session';
import { AppError } from '../util/errors';
import type { Trainer, TrainerState } from './trainer';

/** Where a run stands after `step` steps. Together with the run's own configuration it decides all that follows. */
export interface Checkpoint {
  readonly step: number;
  /** of the configuration it belongs to; a resume with another is refused */
  readonly configHash: string;
  readonly state: TrainerState;
}

export interface LoopOptions {
  readonly steps: number;
  /** learning rate of step 0, 1, … */
  readonly learningRate: (step: number) => number;
  readonly configHash: string;
  /** steps between checkpoints; 0: none but the last */
  readonly checkpointEvery?: number;
  /** steps between pauses to look at a sample; 0: none */
  readonly sampleEvery?: number;
  readonly resume?: Checkpoint;
  /** "finish now": the loop ends after the step in progress, as if it were the last */
  readonly finish?: AbortSignal;
}

export type LoopEvent =
  | {
      readonly kind: 'step';
      readonly index: number;
      readonly total: number;
      readonly loss: number;
      readonly gradNorm: number;
      /** false: gradients overflowed and the step was skipped */
      readonly applied: boolean;
      /** scalars that the step was asked to report */
      readonly metrics?: Readonly<Record<string, number>>;
    }
  /** to be kept under a name of its own: older checkpoints are never overwritten */
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  /** a good moment to look at the state, or to keep it: after `index` steps */
  | { readonly kind: 'sample'; readonly index: number; readonly checkpoint: () => Promise<Checkpoint> };

/** Steps in a row that may overflow before the run is given up. */
const MAX_SKIPPED = 20;

/** @throws AppError BAD_REQUEST for a checkpoint of another configuration */
export function checkBelongs({ configHash }: Pick<Checkpoint, 'configHash'>, asked: string): void {
  if (configHash === asked) return;
  throw new AppError('BAD_REQUEST', 'the checkpoint belongs to a run with other settings, pictures or model');
}

/**
 * Train. Pausing is not asking for the next event; cancelling is `return()`.
 *
 * @param batch  feeds of a step, from its number alone: this is what makes resumed runs exact
 * @returns      the state at the end
 * @throws AppError BAD_REQUEST for a checkpoint of another configuration; NUMERIC when gradients stay infinite
 */
export async function* trainingLoop(
  trainer: Trainer,
  batch: (step: number) => Promise<Arrays>,
  options: LoopOptions,
): AsyncGenerator<LoopEvent, Checkpoint> {
  const { steps, learningRate, configHash, checkpointEvery = 0, sampleEvery = 0, resume, finish } = options;
  if (resume) {
    checkBelongs(resume, configHash);
    await trainer.restore(resume.state);
  }
  const checkpoint = async (step: number): Promise<Checkpoint> => ({
    step,
    configHash,
    state: await trainer.state(),
  });
  let step = resume?.step ?? 0;
  let skipped = 0;
  while (step < steps && !finish?.aborted) {
    const result = await trainer.step(await batch(step), learningRate(step));
    skipped = result.applied ? 0 : skipped + 1;
    if (skipped > MAX_SKIPPED)
      throw new AppError('NUMERIC', `gradients overflowed ${skipped} times in a row`);
    yield { kind: 'step', index: step++, total: steps, ...result };
    if (sampleEvery > 0 && step % sampleEvery === 0) {
      const index = step;
      yield { kind: 'sample', index, checkpoint: () => checkpoint(index) };
    }
    if (checkpointEvery > 0 && step % checkpointEvery === 0 && step < steps) {
      yield { kind: 'checkpoint', checkpoint: await checkpoint(step) };
    }
  }
  return checkpoint(step);
}
