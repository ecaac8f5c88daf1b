import { expect, test, vi } from 'vitest';
import { debounce, memoizePromise, mutex, orAborted } from './async';

const later = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

test('a mutex runs tasks in order, one at a time, also after a failure', async () => {
  const lock = mutex();
  const log: string[] = [];
  const task =
    (name: string, ms: number, fails = false) =>
    async (): Promise<string> => {
      log.push(`${name} begins`);
      await later(ms);
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
  const results = await Promise.allSettled([
    lock(task('a', 20)),
    lock(task('b', 1, true)),
    lock(task('c', 1)),
  ]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('debounce keeps the latest arguments, flushes and cancels', () => {
  vi.useFakeTimers();
  try {
    const calls: number[] = [];
    const save = debounce((n: number) => calls.push(n), 500);
    save(1);
    vi.advanceTimersByTime(499);
    save(2);
    vi.advanceTimersByTime(499);
    expect(calls).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(calls).toEqual([2]);
    save(3);
    save.flush();
    save.flush();
    save(4);
    save.cancel();
    vi.advanceTimersByTime(1000);
    expect(calls).toEqual([2, 3]);
  } finally {
    vi.useRealTimers();
  }
});

test('memoizePromise shares a promise per key and forgets a failure', async () => {
  let loads = 0;
  const load = memoizePromise(async (key: string) => {
    loads++;
    await later(1);
    if (loads === 1) throw new Error('offline');
    return key;
  });
  await expect(Promise.all([load('a'), load('a')])).rejects.toThrow('offline');
  expect(loads).toBe(1);
  expect(await Promise.all([load('a'), load('a'), load('b')])).toEqual(['a', 'a', 'b']);
  expect(loads).toBe(3);
});

test('memoizePromise lists what was loaded, without failures and without loading anything', async () => {
  const load = memoizePromise(async (key: string) => {
    await later(1);
    if (key === 'a') throw new Error('offline');
    return key;
  });
  expect(await load.loaded()).toEqual([]);
  const failing = load('a');
  void load('b');
  expect(await load.loaded()).toEqual(['b']);
  await expect(failing).rejects.toThrow('offline');
  expect(await load.loaded()).toEqual(['b']);
});

test('orAborted rejects with the reason at once and leaves no listener on the signal', async () => {
  const control = new AbortController();
  const remove = vi.spyOn(control.signal, 'removeEventListener');
  expect(await orAborted(Promise.resolve(1), control.signal)).toBe(1);
  expect(remove).toHaveBeenCalledOnce();
  const waiting = orAborted(new Promise(() => {}), control.signal);
  control.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  await expect(orAborted(new Promise(() => {}), control.signal)).rejects.toThrow('gone');
});
