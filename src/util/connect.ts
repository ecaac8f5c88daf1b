import * as Comlink from 'comlink';
import { orAborted } from './async';
import { AppError } from './errors';
import { follow, type JobPort } from './rpc';

/** What `connect` needs of a worker; the DOM's Worker is one. */
export interface WorkerLike extends Comlink.Endpoint {
  terminate(): unknown;
}

/** A worker that may die and come back. */
export interface Connection<Api> {
  /**
   * The worker's API; the first use, and the first use after a loss, starts a fresh worker. A call rejects with
   * WORKER_LOST when its worker dies before it answers.
   */
  readonly api: Comlink.Remote<Api>;
  /** Aborts, with AppError WORKER_LOST as reason, when the present worker dies. */
  readonly lost: AbortSignal;
  /** Starts a job and yields its events; see `follow`. */
  run<E>(
    start: (api: Comlink.Remote<Api>) => PromiseLike<Comlink.Remote<JobPort<E>>>,
    signal: AbortSignal,
  ): AsyncGenerator<E, void>;
  /** Ends the worker now, whatever it does; its pending calls reject. The next use starts a fresh one. */
  terminate(reason?: string): void;
}

interface Live<Api> {
  readonly api: Comlink.Remote<Api>;
  readonly lost: AbortSignal;
  readonly lose: (reason: string) => void;
}

/** Calls of `remote` that reject as soon as `lost` aborts. Only direct methods: our worker APIs are flat. */
function guard<Api>(remote: Comlink.Remote<Api>, lost: AbortSignal): Comlink.Remote<Api> {
  type Call = (...args: readonly unknown[]) => PromiseLike<unknown>;
  return new Proxy(remote as object, {
    get: (target, key) => {
      if (typeof key === 'symbol') return Reflect.get(target, key);
      // Not a thenable: awaiting the API itself must not become a call.
      if (key === 'then') return undefined;
      const call = Reflect.get(target, key) as Call;
      return (...args: readonly unknown[]) =>
        lost.aborted ? Promise.reject(lost.reason) : orAborted(call(...args), lost);
    },
  }) as Comlink.Remote<Api>;
}

/**
 * Runs an API in a worker.
 *
 * A worker is lost when its script cannot be loaded or throws outside any call ('error'), when a message cannot be
 * read ('messageerror'), or by `terminate`. What is left of it is ended, so that its memory and device are free.
 *
 * @param spawn starts the worker, e.g. `() => new Worker(new URL('../workers/files.worker.ts', import.meta.url), { type: 'module' })`
 */
export function connect<Api>(spawn: () => WorkerLike): Connection<Api> {
  let live: Live<Api> | null = null;

  const start = (): Live<Api> => {
    const worker = spawn();
    const loss = new AbortController();
    const lose = (reason: string): void => {
      worker.terminate();
      if (live?.lost === loss.signal) live = null;
      loss.abort(new AppError('WORKER_LOST', reason));
    };
    worker.addEventListener('error', (event) => {
      const { message } = event as Partial<ErrorEvent>;
      lose(message ? `the worker failed: ${message}` : 'the worker could not be started');
    });
    worker.addEventListener('messageerror', () => lose('a message of the worker could not be read'));
    return { api: guard(Comlink.wrap<Api>(worker), loss.signal), lost: loss.signal, lose };
  };
  const current = (): Live<Api> => {
    live ??= start();
    return live;
  };

  return {
    get api() {
      return current().api;
    },
    get lost() {
      return current().lost;
    },
    run(begin, signal) {
      const { api, lost } = current();
      return follow(begin(api), signal, lost);
    },
    terminate: (reason = 'the worker was stopped') => live?.lose(reason),
  };
}
