/** Runs tasks one after another; the returned function queues a task and settles as the task does. */
export function mutex(): <T>(task: () => Promise<T> | T) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return <T>(task: () => Promise<T> | T): Promise<T> => {
    const turn = tail.then(task);
    tail = turn.catch(() => {});
    return turn;
  };
}

export interface Debounced<Args extends readonly unknown[]> {
  (...args: Args): void;
  /** Run a waiting call now. */
  flush(): void;
  /** Forget a waiting call. */
  cancel(): void;
}

/** Calls `f` with the latest arguments once `ms` have passed without a further call. */
export function debounce<Args extends readonly unknown[]>(
  f: (...args: Args) => void,
  ms: number,
): Debounced<Args> {
  let waiting: Args | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = (): void => {
    clearTimeout(timer);
    waiting = null;
  };
  const flush = (): void => {
    const args = waiting;
    cancel();
    if (args) f(...args);
  };
  const call = (...args: Args): void => {
    clearTimeout(timer);
    waiting = args;
    timer = setTimeout(flush, ms);
  };
  return Object.assign(call, { flush, cancel });
}

export interface Memoized<Key, T> {
  (key: Key): Promise<T>;
  /** What was loaded, with what is still loading; nothing of a load that failed. */
  loaded(): Promise<T[]>;
}

/** One promise per key, shared by every caller; a rejected one is forgotten, so that the next call tries again. */
export function memoizePromise<Key, T>(load: (key: Key) => Promise<T>): Memoized<Key, T> {
  const known = new Map<Key, Promise<T>>();
  const get = (key: Key): Promise<T> => {
    const before = known.get(key);
    if (before) return before;
    const loading = load(key);
    known.set(key, loading);
    loading.catch(() => {
      if (known.get(key) === loading) known.delete(key);
    });
    return loading;
  };
  const loaded = async (): Promise<T[]> =>
    (await Promise.allSettled(known.values())).flatMap((load) =>
      load.status === 'fulfilled' ? [load.value] : [],
    );
  return Object.assign(get, { loaded });
}

/**
 * Settles as `promise` does, or rejects with `signal.reason` as soon as the signal aborts.
 * Unlike `Promise.race` with a long-lived promise it leaves nothing behind on the signal.
 */
export function orAborted<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    const settle =
      <V>(then: (value: V) => void) =>
      (value: V): void => {
        signal.removeEventListener('abort', abort);
        then(value);
      };
    promise.then(settle(resolve), settle(reject));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}
