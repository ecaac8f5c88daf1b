import type { BackendName } from '../src/runtime/capabilities';
import { loadOrtWeb } from '../src/runtime/ort-web';
import { createFits } from './fits';
import { type Held, held } from './held.browser';

export interface FitsRequest {
  readonly backend: BackendName;
  readonly fits: number;
}

const perBackend = new Map<BackendName, ReturnType<typeof createFits>>();

/** Bytes held after the fits. */
export async function run({ backend, fits }: FitsRequest): Promise<Held> {
  const fit = perBackend.get(backend) ?? createFits(loadOrtWeb, backend);
  perBackend.set(backend, fit);
  await fit(fits);
  return held();
}
