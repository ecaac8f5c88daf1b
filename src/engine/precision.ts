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
 * @param resume   where an earlier run stands, which goes on in its own precision: another would not give its numbers
 * @param run      the job on a model that took `loadMs` to load, from there; from the start where half precision overflowed
 * @throws AppError NUMERIC when full precision overflows too
 */
export async function* inBestPrecision<E, R extends { readonly precision: Precision } | null>(
  load: LoadModel,
  id: string,
  doing: string,
  resume: R,
  run: (model: DiffusionModel, loadMs: number, resume: R | null) => AsyncGenerator<E, void>,
): AsyncGenerator<E | Extract<JobEvent<never>, { kind: 'stage' | 'notice' }>, void> {
  yield { kind: 'stage', name: 'load' };
  const started = performance.now();
  const model = await load(id, resume?.precision ?? 'best');
  const loadMs = performance.now() - started;
  try {
    yield* run(model, loadMs, resume);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'NUMERIC' || model.dtype === 'float32') throw error;
    const message = `Half precision overflowed; ${doing} again in full precision (slower).`;
    yield { kind: 'notice', code: 'FP32_RETRY', message };
    yield* run(await load(id, 'float32'), loadMs, null);
  }
}
