import { onHardware } from '../tools/chromium';
import { type HarnessBrowser, withBrowser } from '../tools/harness/browser';
import type { JaxRequest, JaxRuns, run as stepsInBrowser } from './jax-js.browser';
import { type Bench, type Measurement, takeTurns } from './measure';

const TARGET = 0.5;
/** Largest difference of losses and gradients, relative to the largest number compared. */
const TOLERANCE = 1e-3;

type Spec = Pick<JaxRequest, 'backend' | 'block'>;

/** Training steps of one block of a UNet against jax-js's: loss, gradients of all weights, AdamW; data in, loss out. */
export const jaxJs: Bench = () =>
  withBrowser(async (browser) => {
    const webgpu = (block: JaxRequest['block'], turns: number, runs: number) =>
      against(browser, { backend: 'webgpu', block }, { turns, runs });
    if (onHardware) return [await webgpu('starter', 9, 4), await webgpu('sd', 5, 2)];
    return [
      await against(browser, { backend: 'wasm', block: 'starter' }, { turns: 9, runs: 2 }),
      await webgpu('tiny', 5, 2),
      await webgpu('starter', 3, 1),
    ];
  });

async function against(
  { call }: HarnessBrowser,
  spec: Spec,
  often: { readonly turns: number; readonly runs: number },
): Promise<Measurement> {
  const steps = (side: JaxRequest['side'], runs: number) =>
    call<typeof stepsInBrowser>('bench/jax-js.browser.ts', { ...spec, side, runs });
  const difference = compared(await steps('ours', 2), await steps('jax-js', 2));
  const times = await takeTurns(
    {
      ours: async (runs) => (await steps('ours', runs)).times,
      theirs: async (runs) => (await steps('jax-js', runs)).times,
    },
    often,
  );
  const [ours, theirs] = [times.ours.toFixed(0), times.theirs.toFixed(0)];
  return {
    name: `${spec.backend}: training step of the ${spec.block} block ÷ jax-js`,
    value: times.ours / times.theirs,
    unit: '×',
    target: TARGET,
    note: `${ours} and ${theirs} ms, gradients alike to ${difference.toExponential(0)}`,
  };
}

/** How far the two are apart. @throws Error when they do not do the same: a quotient would then mean nothing */
function compared(ours: JaxRuns, theirs: JaxRuns): number {
  const differences = [relative('the losses', ours.losses, theirs.losses)];
  for (const [name, gradient] of Object.entries(ours.gradients)) {
    differences.push(relative(`the gradients of ${name}`, gradient, theirs.gradients[name] ?? []));
  }
  return Math.max(...differences);
}

function relative(what: string, a: ArrayLike<number>, b: ArrayLike<number>): number {
  const size = largest(a, Math.abs);
  const difference = largest(a, (v, i) => Math.abs(v - b[i]!)) / size;
  // NaN is no agreement either
  if (a.length === b.length && difference <= TOLERANCE) return difference;
  throw new Error(`${what} differ from jax-js's by ${difference} of the largest`);
}

/** NaN where one is NaN: `Math.max` of so many arguments would not fit the stack. */
const largest = (values: ArrayLike<number>, of: (value: number, i: number) => number): number =>
  Array.from(values, of).reduce((most, value) => Math.max(most, value), 0);
