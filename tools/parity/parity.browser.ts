import { type Backend, openBackend } from '../../src/runtime/backend';
import type { BackendName } from '../../src/runtime/capabilities';
import { loadOrtWeb } from '../../src/runtime/ort-web';
import { memoizePromise } from '../../src/util/async';
import { type ParityLine, parity } from './parity';
import { runWith } from './run-graph';

const open: (name: BackendName) => Promise<Backend> = memoizePromise((name) =>
  openBackend(name, { load: loadOrtWeb }),
);

/** The parity check of one file, in a browser's worker. */
export async function run(input: {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly backend: BackendName;
}): Promise<ParityLine[]> {
  return parity(input.file, input.bytes, runWith(await open(input.backend)));
}
