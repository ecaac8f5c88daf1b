import type { BackendName } from '../src/runtime/capabilities';
import { loadOrtWeb } from '../src/runtime/ort-web';
import { createEdits } from './edits';
import { type Held, held } from './held.browser';

export interface EditsRequest {
  readonly backend: BackendName;
  readonly edits: number;
}

const perBackend = new Map<BackendName, ReturnType<typeof createEdits>>();

/** Bytes held after the edits. */
export async function run({ backend, edits }: EditsRequest): Promise<Held> {
  const edit = perBackend.get(backend) ?? createEdits(loadOrtWeb, backend);
  perBackend.set(backend, edit);
  await edit(edits);
  return held();
}
