import { join } from 'node:path';
import type { LearnOptions } from '../src/personalization/method';
import { personalizationMethods } from '../src/personalization/methods';
import { loadOrtNode } from '../src/runtime/ort-node';
import { onHardware } from '../tools/chromium';
import { diskTree } from '../tools/disk-tree';
import { withBrowser } from '../tools/harness/browser';
import { BROWSER_BACKEND } from './browser-backend';
import { type Bench, type Contender, type Measurement, takeTurns } from './measure';
import { createSteps, type StepSpec } from './steps';
import type { run as stepInBrowser } from './steps.browser';

const STARTER = join(import.meta.dirname, '../public/models/starter');

/** What the floor of each kind is: a forward, and a backward through what gradients must pass (input side, weight side). */
const TARGETS = { light: 2.6, remat: 3.5, full: 3.8 };

/** Training steps of the starter against its UNet's forward with as many rows. */
export const training: Bench = async () => {
  const node = createSteps(loadOrtNode, diskTree(STARTER));
  return withBrowser(async (browser) => {
    const model = browser.serve(STARTER);
    const backend = BROWSER_BACKEND;
    const inNode = onHardware
      ? []
      : await against((spec) => (runs) => node.time({ ...spec, backend: 'node' }, runs), 'node');
    const inBrowser = await against(
      (spec) => (runs) =>
        browser.call<typeof stepInBrowser>('bench/steps.browser.ts', {
          model,
          spec: { ...spec, backend },
          runs,
        }),
      backend,
    );
    return [...inNode, ...inBrowser];
  });
};

/** Rows of the UNet in a step: with prior preservation, as many pictures of the class come on top. */
const rowsOf = ({ batch, priorPictures }: LearnOptions): number => batch * (priorPictures > 0 ? 2 : 1);

type Spec = StepSpec extends infer S ? (S extends unknown ? Omit<S, 'backend'> : never) : never;

async function against(contender: (spec: Spec) => Contender, where: string): Promise<Measurement[]> {
  const contenders: Record<string, Contender> = {};
  for (const [method, { defaults }] of Object.entries(personalizationMethods)) {
    const rows = rowsOf(defaults);
    const spec = { method, rows };
    contenders[`forward ${rows}`] = contender({ forward: true, rows });
    contenders[method] = contender(spec);
    contenders[`${method}, recomputed`] = contender({ ...spec, recompute: ['block'] });
  }
  const times = await takeTurns(contenders, { turns: 9, runs: 2 });
  const ratio = (method: string, contender: string, target?: number): Measurement => {
    const rows = rowsOf(personalizationMethods[method]!.defaults);
    return {
      name: `${where}: ${contender} step ÷ forward`,
      value: times[contender]! / times[`forward ${rows}`]!,
      unit: '×',
      ...(target && { target }),
      note: `${rows} row${rows > 1 ? 's' : ''}, ${times[contender]!.toFixed(0)} ms`,
    };
  };
  return Object.keys(personalizationMethods).flatMap((method) => {
    const full = method === 'dreambooth';
    return [
      ratio(method, method, full ? TARGETS.full : TARGETS.light),
      ratio(method, `${method}, recomputed`, full ? undefined : TARGETS.remat),
    ];
  });
}
