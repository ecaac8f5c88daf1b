import type { BackendName } from '../src/runtime/capabilities';
import { loadOrtWeb } from '../src/runtime/ort-web';
import { type Held, held } from './held.browser';
import { createLearning } from './learning';

export interface LearningRequest {
  readonly backend: BackendName;
  /** of the whole run */
  readonly steps: number;
  /** of this call */
  readonly take: number;
}

const perBackend = new Map<BackendName, ReturnType<typeof createLearning>>();

/** Bytes held after the steps. */
export async function run({ backend, steps, take }: LearningRequest): Promise<Held> {
  const learning = perBackend.get(backend) ?? createLearning(loadOrtWeb, backend, steps);
  perBackend.set(backend, learning);
  await learning(take);
  return held();
}
