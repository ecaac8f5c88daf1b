/** `npm run bench -- [NAME...]`: measures, prints a table, keeps the numbers in bench/results/NAME.json. */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { onHardware } from '../tools/chromium';
import { withBrowser } from '../tools/harness/browser';
import type { run as adapter } from './adapter.browser';
import { creation } from './creation';
import { flatFits, flatMemory, flatWebGpu } from './flat-memory';
import { jaxJs } from './jax-js';
import { concept, jobs } from './jobs';
import type { Bench } from './measure';
import { pageWeight } from './page-weight';
import { workerSeam } from './seam';
import { steering } from './steering';
import { row } from './table';
import { torch } from './torch';
import { training } from './training';
import { unetForward } from './unet-forward';
import { weightsAsInputs } from './weights-as-inputs';

const BENCHES: Readonly<Record<string, Bench>> = {
  'unet-forward': unetForward,
  torch,
  'weights-as-inputs': weightsAsInputs,
  creation,
  'page-weight': pageWeight,
  'flat-memory': flatMemory,
  'flat-fits': flatFits,
  'flat-webgpu': flatWebGpu,
  training,
  'jax-js': jaxJs,
  jobs,
  'worker-seam': workerSeam,
  concept,
  steering,
};

const RESULTS = join(import.meta.dirname, 'results');

/** What the numbers were measured on; a load above the number of cores means that they are noisy. */
const machine = async () => ({
  ...(onHardware && {
    gpu: await withBrowser(({ call }) => call<typeof adapter>('bench/adapter.browser.ts', null)),
  }),
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  load: loadavg()[0]!,
});

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !BENCHES[name]);
if (unknown.length) {
  console.error(`no bench called ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
await mkdir(RESULTS, { recursive: true });
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length && !asked.includes(name)) continue;
  console.log(name);
  const result = await bench();
  if ('skipped' in result) {
    console.log(`  skipped: ${result.skipped}`);
    continue;
  }
  for (const measurement of result) console.log(row(measurement));
  const record = { date: new Date().toISOString(), machine: await machine(), measurements: result };
  await writeFile(
    join(RESULTS, `${name}${onHardware ? '-gpu' : ''}.json`),
    `${JSON.stringify(record, null, 2)}\n`,
  );
}
