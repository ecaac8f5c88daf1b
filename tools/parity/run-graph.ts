import type { Backend } from '../../src/runtime/backend';
import { compile } from '../../src/runtime/session';
import { WeightStore } from '../../src/runtime/weights';
import type { RunGraph } from './parity';

/** Runs graphs as the program does: through a WeightStore and a compiled Program. */
export const runWith =
  (backend: Backend): RunGraph =>
  async (g, outputs, feeds, weights) => {
    const shapes = new Map([...g.weights].map(([name, { shape }]) => [name, shape]));
    const load = async (name: string) => ({ data: weights.get(name)!, shape: shapes.get(name)! });
    const store = new WeightStore(backend, { shapes, load });
    // one value may be asked for under two names
    const program = await compile(g, Object.fromEntries(outputs.map((v) => [v.name, v])), store);
    try {
      const inputs = program.feeds.map(
        ({ name, shape }) => [name, { data: feeds.get(name)!, shape }] as const,
      );
      const results = await program.run(Object.fromEntries(inputs));
      return outputs.map(({ name }) => results[name]!.data);
    } finally {
      await program.dispose();
      store.dispose();
    }
  };
