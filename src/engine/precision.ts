import type { DiffusionModel } from '../diffusion/model';
import { AppError } from '../util/errors';
import type { JobEvent } from './events';
import type { Precision } from './load-model';

/** The model of a job in the precision asked for. */
export type LoadModel = (id: string, precision: Precision) => Promise<DiffusionModel>;

/**
 * A job in the best precision there is; where half precision overflows, that is announced and the job begins again in
 * full.
 *
 * @param doing    'learning', for the announcement
 * @param run      the job on a model that took `loadMs` to load; `again`: it was begun before
 * @throws AppError NUMERIC when full precision overflows too
 */
export async function* inBestPrecision<E>(
  load: LoadModel,
  id: string,
  doing: string,
  run: (model: DiffusionModel, loadMs: number, again: boolean) => AsyncGenerator<E, void>,
): AsyncGenerator<E | Extract<JobEvent<never>, { kind: 'stage' | 'notice' }>, void> {
  yield { kind: 'stage', name: 'load' };
  const started = performance.now();
  const model = await load(id, 'best');
  const loadMs = performance.now() - started;
  try {
    yield* run(model, loadMs, false);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'NUMERIC' || model.dtype === 'float32') throw error;
    const message = `Half precision overflowed; ${doing} again in full precision (slower).`;
    yield { kind: 'notice', code: 'FP32_RETRY', message };
    yield* run(await load(id, 'float32'), loadMs, true);
  }
}
