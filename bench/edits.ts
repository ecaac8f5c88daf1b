import { type Backend, openBackend } from '../src/runtime/backend';
import type { BackendName } from '../src/runtime/capabilities';
import type { OrtLoader } from '../src/runtime/ort';
import { compile } from '../src/runtime/session';
import { WeightStore } from '../src/runtime/weights';
import { benchUNet } from './networks';

/** Does what edits do to memory: programs compiled, run for both batch sizes, disposed. */
export function createEdits(load: OrtLoader, name: BackendName) {
  const opening: Promise<Backend> = openBackend(name, { load });
  const networks = [benchUNet('tiny', 1), benchUNet('tiny', 2)];
  return async (edits: number, runs: number): Promise<Backend> => {
    const backend = await opening;
    for (let i = 0; i < edits; i++) {
      const store = new WeightStore(backend, networks[0]!.source);
      for (const { graph, outputs, feeds } of networks) {
        const program = await compile(graph, outputs, store);
        for (let j = 0; j < runs; j++) await program.run(feeds);
        await program.dispose();
      }
      store.dispose();
    }
    return backend;
  };
}
