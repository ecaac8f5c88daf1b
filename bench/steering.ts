import { join } from 'node:path';
import { personalizationMethods } from '../src/personalization/methods';
import { loadOrtNode } from '../src/runtime/ort-node';
import { onHardware } from '../tools/chromium';
import { diskTree } from '../tools/disk-tree';
import { withBrowser } from '../tools/harness/browser';
import { BROWSER_BACKEND } from './browser-backend';
import { type Bench, type Contender, type Measurement, takeTurns } from './measure';
import { createSteering, type SteeringSpec } from './steering-steps';
import type { run as steerInBrowser } from './steering-steps.browser';
import { createSteps, type StepSpec } from './steps';
import type { run as stepInBrowser } from './steps.browser';

const STARTER = join(import.meta.dirname, '../public/models/starter');

/** Of a training step with as many rows that carry gradients, and of a plain sampling step. */
const TARGETS = { edsd: 1.8, guided: 4 };

type OnBackend<Spec> = Spec extends unknown ? Omit<Spec, 'backend'> : never;

/** What times specs on one backend. */
interface Clock {
  readonly step: (spec: OnBackend<StepSpec>) => Contender;
  readonly steering: (spec: OnBackend<SteeringSpec>) => Contender;
}

/** Steps of a fit on the starter against training steps, and guided sampling against plain sampling. */
export const steering: Bench = async () => {
  const tree = diskTree(STARTER);
  const [steps, steered] = [createSteps(loadOrtNode, tree), createSteering(loadOrtNode, tree)];
  const backend = 'node';
  const node: Clock = {
    step: (spec) => (runs) => steps.time({ ...spec, backend }, runs),
    steering: (spec) => (runs) => steered.time({ ...spec, backend }, runs),
  };
  return withBrowser(async ({ call, serve }) => {
    const model = serve(STARTER);
    const backend = BROWSER_BACKEND;
    const browser: Clock = {
      step: (spec) => (runs) =>
        call<typeof stepInBrowser>('bench/steps.browser.ts', { model, spec: { ...spec, backend }, runs }),
      steering: (spec) => (runs) =>
        call<typeof steerInBrowser>('bench/steering-steps.browser.ts', {
          model,
          spec: { ...spec, backend },
          runs,
        }),
    };
    const all: Measurement[] = [];
    for (const [where, clock] of Object.entries({ ...(!onHardware && { node }), [backend]: browser })) {
      for (const method of Object.keys(personalizationMethods))
        all.push(...(await against(where, method, clock)));
    }
    return all;
  });
};

async function against(where: string, method: string, clock: Clock): Promise<Measurement[]> {
  const times = await takeTurns(
    {
      training: clock.step({ method, rows: 1 }),
      'training 2': clock.step({ method, rows: 2 }),
      edsd: clock.steering({ method, what: 'edsd' }),
      fit: clock.steering({ method, what: 'fit' }),
      recommended: clock.steering({ method, what: 'recommended' }),
      plain: clock.steering({ method, what: 'plain' }),
      guided: clock.steering({ method, what: 'guided' }),
    },
    // as many in a row of each: the second finds its weights in the cache
    { turns: 5, runs: 2 },
  );
  const ratio = (what: string, of: string, value: number, by: number, target?: number): Measurement => ({
    name: `${where}, ${method}: ${what} ÷ ${of}`,
    value: value / by,
    unit: '×',
    ...(target && { target }),
    note: `${value.toFixed(0)} ms`,
  });
  return [
    ratio('EDSD step', 'training step', times.edsd, times.training, TARGETS.edsd),
    ratio('fit step', 'training step of 2', times.fit, times['training 2'], TARGETS.edsd),
    ratio('fit step as recommended', 'training step of 2', times.recommended, times['training 2']),
    ratio('guided sampling step', 'plain', times.guided, times.plain, TARGETS.guided),
  ];
}
