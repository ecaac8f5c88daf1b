import { openBackend } from '../src/runtime/backend';
import type { BackendName } from '../src/runtime/capabilities';
import type { OrtLoader } from '../src/runtime/ort';
import { compile, type Program } from '../src/runtime/session';
import { WeightStore } from '../src/runtime/weights';
import { memoizePromise } from '../src/util/async';
import type { HarnessBrowser } from '../tools/harness/browser';
import type { Contender } from './measure';
import { type BenchNetwork, benchUNet, type UNetName } from './networks';
import type { run as runInBrowser } from './programs.browser';

/** What to time; equal specs share one program. Plain data. */
export interface ProgramSpec {
  readonly backend: BackendName;
  readonly unet: UNetName;
  readonly batch: number;
  /** as the product runs them, or all as inputs, or all as constants; default as the product */
  readonly weights?: 'inputs' | 'constants';
  readonly capture?: boolean;
}

interface Ready {
  readonly network: BenchNetwork;
  readonly program: Program;
  /** from graph to runnable program, weights at hand, ms */
  readonly create: () => Promise<number>;
}

/** Keeps programs between calls, so that contenders can take turns. */
export function createBench(load: OrtLoader) {
  const open = memoizePromise((name: BackendName) => openBackend(name, { load }));
  const prepare = memoizePromise(async (key: string): Promise<Ready> => {
    const { backend: name, unet, batch, weights, capture = false } = JSON.parse(key) as ProgramSpec;
    const backend = await open(name);
    const network = benchUNet(unet, batch);
    const { source, graph, outputs } = network;
    const arrays = new Map<string, Awaited<ReturnType<typeof source.load>>>();
    for (const key of source.shapes.keys()) arrays.set(key, await source.load(key));
    const store = new WeightStore(backend, { ...source, load: async (key) => arrays.get(key)! });
    const make = () =>
      compile(graph, outputs, store, { ...(weights && { frozen: () => weights === 'constants' }), capture });
    const create = async (): Promise<number> => {
      const start = performance.now();
      const program = await make();
      const time = performance.now() - start;
      await program.dispose();
      return time;
    };
    return { network, program: await make(), create };
  });

  return {
    /** Milliseconds of each of `runs` runs, results on the host. */
    async time(spec: ProgramSpec, runs: number): Promise<number[]> {
      const { network, program } = await prepare(JSON.stringify(spec));
      const times: number[] = [];
      for (let i = 0; i < runs; i++) {
        const start = performance.now();
        await program.run(network.feeds);
        times.push(performance.now() - start);
      }
      return times;
    },
    create: async (spec: ProgramSpec): Promise<number> => (await prepare(JSON.stringify(spec))).create(),
    output: async (spec: ProgramSpec): Promise<Float32Array> => {
      const { network, program } = await prepare(JSON.stringify(spec));
      return (await program.run(network.feeds)).output!.data;
    },
  };
}

/** The same in a browser's worker. */
export const inBrowser =
  (browser: HarnessBrowser, spec: ProgramSpec): Contender =>
  (runs) =>
    browser.call<typeof runInBrowser>('bench/programs.browser.ts', { spec, runs });
