import { loadOrtWeb } from '../src/runtime/ort-web';
import { createBench, type ProgramSpec } from './programs';

const bench = createBench(loadOrtWeb);

export interface BrowserRequest {
  readonly spec: ProgramSpec;
  /** runs to time; 0: time one creation */
  readonly runs: number;
}

/** Milliseconds of each run, in a browser's worker. */
export async function run({ spec, runs }: BrowserRequest): Promise<number[]> {
  return runs === 0 ? [await bench.create(spec)] : bench.time(spec, runs);
}
