import { recipeOf } from '../src/document/actions';
import type { Document } from '../src/document/document';
import { connect } from '../src/util/connect';
import type { Pixels } from '../src/util/pixels';
import type { SeamApi } from './seam-worker';
import { stepTimes } from './step-times';

export interface SeamRequest {
  readonly photo: Pixels;
  /** the edit, but for its photo; its model is the address of a folder */
  readonly doc: Document;
  /** whether the engine is asked from here, as from the page, or from its own thread */
  readonly seam: boolean;
}

const engine = connect<SeamApi>(
  () => new Worker(new URL('./seam-worker.ts', import.meta.url), { type: 'module', name: 'engine' }),
);

/** ms from step to step of one edit, everything recorded as for the page. */
export async function run({ photo, doc, seam }: SeamRequest): Promise<readonly number[]> {
  const stored = await engine.api.writeImage(photo, 'photo');
  const { methods } = await engine.api.info(doc.model);
  const { defaults } = methods.find(({ name }) => name === doc.method)!;
  const recipe = recipeOf(doc, stored, defaults, null);
  const request = { recipe, record: { frames: true, directions: true } };
  if (!seam) return engine.api.direct(request);
  return stepTimes(engine.run((api) => api.edit(request), new AbortController().signal));
}
