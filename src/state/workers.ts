import type { Engine } from '../engine/engine';
import type { Files } from '../files/files';
import { connect } from '../util/connect';

/** Networks: the only thread that owns a GPU device. Started on first use, and again after a loss. */
export const engine = connect<Engine>(
  () =>
    new Worker(new URL('../../workers/engine.worker.ts', import.meta.url), {
      type: 'module',
      name: 'engine',
    }),
);

/** Decoding, encoding and storage. */
export const files = connect<Files>(
  () =>
    new Worker(new URL('../../workers/files.worker.ts', import.meta.url), { type: 'module', name: 'files' }),
);
