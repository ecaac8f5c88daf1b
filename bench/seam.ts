import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { emptyDocument } from '../src/document/document';
import { withBrowser } from '../tools/harness/browser';
import { readImage } from '../tools/images';
import { type Bench, type Contender, takeTurns } from './measure';
import type { run as editInBrowser } from './seam.browser';

const PUBLIC = join(import.meta.dirname, '../public');

/** Overhead, a share of the step. */
const TARGET = 1.05;
const STEPS = 12;

/** Steps of an edit whose events cross to another thread, against the same engine's steps that are asked for in its own. */
export const workerSeam: Bench = () =>
  withBrowser(async ({ call, serve }) => {
    const { photo, square, sourcePrompt, targetPrompt, seed } = JSON.parse(
      await readFile(join(PUBLIC, 'demo/demo.json'), 'utf8'),
    );
    const pixels = await readImage(join(PUBLIC, 'demo', photo));
    const doc = {
      ...emptyDocument,
      ...{ sourcePrompt, targetPrompt, seed, square },
      options: { steps: STEPS, maskSteps: 1 },
      model: serve(join(PUBLIC, 'models/starter')),
    };
    const edits =
      (seam: boolean): Contender =>
      async (runs) => {
        const times: number[] = [];
        for (let i = 0; i < runs; i++) {
          times.push(
            ...(await call<typeof editInBrowser>('bench/seam.browser.ts', { photo: pixels, doc, seam })),
          );
        }
        return times;
      };
    const { through, direct } = await takeTurns(
      { through: edits(true), direct: edits(false) },
      { turns: 9, runs: 1 },
    );
    return [
      {
        name: 'wasm: an edit step through the worker seam ÷ without it',
        value: through / direct,
        unit: '×',
        target: TARGET,
        note: `${direct.toFixed(0)} ms a step, ${(through - direct).toFixed(2)} ms for the seam`,
      },
    ];
  });
