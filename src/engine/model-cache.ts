import type { DiffusionModel } from '../diffusion/model';
import type { LoadModel } from './precision';

/** Models that are loaded, by id and precision. */
export interface ModelCache {
  /** A model is opened once; one that could not be is tried again. */
  readonly load: LoadModel;
  /** Free all but these, by id. Nothing may be running on the others. */
  release(keep: readonly string[]): Promise<void>;
}

export function modelCache(open: LoadModel): ModelCache {
  const known = new Map<string, { readonly id: string; readonly model: Promise<DiffusionModel> }>();
  return {
    load(id, precision) {
      const key = `${precision} ${id}`;
      const before = known.get(key);
      if (before) return before.model;
      const model = open(id, precision);
      known.set(key, { id, model });
      model.catch(() => known.delete(key));
      return model;
    },
    async release(keep) {
      for (const [key, { id, model }] of known) {
        if (keep.includes(id)) continue;
        known.delete(key);
        const [opened] = await Promise.allSettled([model]);
        if (opened?.status === 'fulfilled') await opened.value.dispose();
      }
    },
  };
}
