import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { ensureChromium } from './chromium';

/** `npm test`: every check in order, the cheap ones first; stops at the first that fails. */

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Step {
  readonly name: string;
  readonly run: string | (() => unknown);
  /** of a step that runs tests: reads the counts from its JSON report */
  readonly counts?: () => Counts;
}

interface Outcome extends Partial<Counts> {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
}

const REPORTS = '.cache/test';
const report = (name: string): unknown => JSON.parse(readFileSync(`${REPORTS}/${name}.json`, 'utf8'));

/** Of a Vitest JSON report. */
interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

/** Of a Playwright JSON report. */
interface PlaywrightReport {
  readonly stats: Readonly<Record<'expected' | 'flaky' | 'unexpected' | 'skipped', number>>;
}

const vitest = (project: string): Step => ({
  name: project,
  run: `vitest run --project ${project} --reporter=default --reporter=json --outputFile.json=${REPORTS}/${project}.json`,
  counts: () => {
    const { numPassedTests, numFailedTests, numPendingTests } = report(project) as VitestReport;
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  },
});

const steps: readonly Step[] = [
  { name: 'browser', run: ensureChromium },
  { name: 'types', run: 'tsc --noEmit' },
  { name: 'lint', run: 'biome check --error-on-warnings .' },
  { name: 'unused', run: 'knip' },
  vitest('unit'),
  vitest('gpu'),
  { name: 'build', run: 'vite build --logLevel warn' },
  {
    name: 'e2e',
    run: 'playwright test -c e2e/playwright.config.ts',
    counts: () => {
      const { expected, flaky, unexpected, skipped } = (report('e2e') as PlaywrightReport).stats;
      return { passed: expected + flaky, failed: unexpected, skipped };
    },
  },
];

/** Settles when the command ends; its output streams through. @throws when it fails */
function command(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(line, { shell: true, stdio: ['ignore', 'inherit', 'inherit'] })
      .on('error', reject)
      .on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${line}: exit code ${code}`))));
  });
}

async function perform({ name, run, counts }: Step): Promise<Outcome> {
  console.log(`\n── ${name} ──`);
  const begin = performance.now();
  let ok = true;
  try {
    await (typeof run === 'string' ? command(run) : run());
  } catch (error) {
    ok = false;
    console.error(error instanceof Error ? error.message : error);
  }
  const seconds = (performance.now() - begin) / 1000;
  try {
    return { name, ok, seconds, ...counts?.() };
  } catch {
    // It broke down before it could write its report.
    return { name, ok: false, seconds };
  }
}

rmSync(REPORTS, { recursive: true, force: true });
mkdirSync(REPORTS, { recursive: true });

const outcomes: Outcome[] = [];
for (const step of steps) {
  outcomes.push(await perform(step));
  if (!outcomes.at(-1)?.ok) break;
}

console.log('\n── summary ──');
for (const { name, ok, seconds, passed, failed, skipped } of outcomes) {
  const tests = passed === undefined ? '' : `  ${passed} passed, ${failed} failed, ${skipped} skipped`;
  console.log(`${name.padEnd(8)} ${ok ? 'ok    ' : 'FAILED'} ${seconds.toFixed(0).padStart(4)} s${tests}`);
}
for (const { name } of steps.slice(outcomes.length)) console.log(`${name.padEnd(8)} not run`);

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const passed = sum(outcomes.map((outcome) => outcome.passed ?? 0));
// A step without tests of its own, or one that broke down outside of them, counts as one failure.
const failed = sum(outcomes.map((outcome) => (outcome.ok ? 0 : Math.max(1, outcome.failed ?? 0))));
console.log(`tests: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
