import * as Comlink from 'comlink';
import { afterEach, expect, test } from 'vitest';
import { AppError } from './errors';
import { follow, type JobPort, startJob } from './rpc';

interface Event {
  readonly step: number;
  readonly pixels?: Uint8Array;
}

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done, fail) => {
    signal.throwIfAborted();
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      fail(signal.reason);
    });
  });

/** What a worker would expose: counts the jobs whose cleanup ran. */
const service = () => {
  let cleaned = 0;
  return {
    cleaned: () => cleaned,
    fail: (): void => {
      throw new AppError('TOO_BIG', 'too many pixels', { megapixels: 180 });
    },
    failOtherwise: async () => {
      throw new RangeError('index');
    },
    edit: (options: { steps: number; ms?: number; failAt?: number; keep?: boolean }) =>
      startJob<Event>(
        async function* (signal) {
          try {
            for (let step = 0; step < options.steps; step++) {
              if (step === options.failAt)
                throw new AppError('OUT_OF_MEMORY', 'needed 3 GB', { needed: 3e9 });
              try {
                if (options.ms) await sleep(options.ms, signal);
                else signal.throwIfAborted();
              } catch (error) {
                if (!options.keep) throw error;
                yield { step: -1 };
                yield { step: -2 };
                return;
              }
              yield { step, pixels: new Uint8Array(1000).fill(step) };
            }
          } finally {
            cleaned++;
          }
        },
        (event) => (event.pixels ? [event.pixels.buffer] : []),
      ),
  };
};

const open: MessagePort[] = [];
const never = new AbortController().signal;
function connected(): Comlink.Remote<ReturnType<typeof service>> {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  Comlink.expose(service(), port1);
  return Comlink.wrap(port2);
}
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

const collect = async (events: AsyncIterable<Event>): Promise<number[]> => {
  const steps: number[] = [];
  for await (const { step } of events) steps.push(step);
  return steps;
};

test('errors keep their class, code and details', async () => {
  const api = connected();
  const error = await api.fail().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({
    code: 'TOO_BIG',
    message: 'too many pixels',
    details: { megapixels: 180 },
  });
  expect((error as AppError).stack).toContain('rpc.test.ts');
  await expect(api.failOtherwise()).rejects.toMatchObject({ name: 'RangeError', message: 'index' });
});

test('delivers every event in order, buffers moved, and cleans up', async () => {
  const api = connected();
  const seen: Event[] = [];
  for await (const event of follow(api.edit({ steps: 50 }), never, never)) seen.push(event);
  expect(seen.map((e) => e.step)).toEqual([...Array(50).keys()]);
  expect(seen.every((e) => e.pixels?.length === 1000 && e.pixels[999] === e.step)).toBe(true);
  expect(await api.cleaned()).toBe(1);
});

test('leaving the loop closes the job before the loop ends', async () => {
  const api = connected();
  for await (const { step } of follow(api.edit({ steps: 1000, ms: 1 }), never, never)) if (step === 3) break;
  expect(await api.cleaned()).toBe(1);
});

test('an error in a job arrives typed, after the events before it', async () => {
  const api = connected();
  const steps: number[] = [];
  const run = async (): Promise<void> => {
    for await (const { step } of follow(api.edit({ steps: 9, failAt: 2 }), never, never)) steps.push(step);
  };
  await expect(run()).rejects.toMatchObject({ code: 'OUT_OF_MEMORY', details: { needed: 3e9 } });
  expect(steps).toEqual([0, 1]);
  expect(await api.cleaned()).toBe(1);
});

test('aborting in the middle of a long step settles at once, cleanup done', async () => {
  const api = connected();
  const control = new AbortController();
  const events = collect(follow(api.edit({ steps: 3, ms: 60_000 }), control.signal, never));
  await new Promise((done) => setTimeout(done, 30));
  const began = performance.now();
  control.abort();
  await expect(events).rejects.toMatchObject({ name: 'AbortError' });
  expect(performance.now() - began).toBeLessThan(1000);
  expect(await api.cleaned()).toBe(1);
});

test('what a job yields while winding down is delivered before AbortError', async () => {
  const api = connected();
  const control = new AbortController();
  const steps: number[] = [];
  const run = async (): Promise<void> => {
    for await (const { step } of follow(api.edit({ steps: 99, ms: 5, keep: true }), control.signal, never)) {
      steps.push(step);
      if (step === 1) control.abort();
    }
  };
  await expect(run()).rejects.toMatchObject({ name: 'AbortError' });
  expect(steps).toEqual([0, 1, -1, -2]);
});

test('a job asked for with an aborted signal ends without running a step', async () => {
  const api = connected();
  const control = new AbortController();
  control.abort();
  await expect(collect(follow(api.edit({ steps: 5, ms: 5 }), control.signal, never))).rejects.toMatchObject({
    name: 'AbortError',
  });
});

test('losing the worker settles a running job, and one that never answered', async () => {
  const loss = new AbortController();
  const silent = new Promise<Comlink.Remote<JobPort<Event>>>(() => {});
  const jobs = [
    collect(follow(connected().edit({ steps: 3, ms: 60_000 }), never, loss.signal)),
    collect(follow(silent, never, loss.signal)),
  ];
  setTimeout(() => loss.abort(new AppError('WORKER_LOST', 'gone')), 30);
  const settled = await Promise.allSettled(jobs);
  expect(settled.map((s) => s.status === 'rejected' && s.reason.code)).toEqual([
    'WORKER_LOST',
    'WORKER_LOST',
  ]);
});
