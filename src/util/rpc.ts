import * as Comlink from 'comlink';
import { orAborted } from './async';
import { AppError, type ErrorCode } from './errors';

interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: ErrorCode;
  readonly details?: Readonly<Record<string, unknown>>;
}

const thrown = Comlink.transferHandlers.get('throw')!;

/** Replaces Comlink's own handler: AppError and AbortError arrive as what they were, everything else as Error. */
Comlink.transferHandlers.set('throw', {
  canHandle: thrown.canHandle,
  serialize(marked: unknown) {
    // What Comlink hands to this handler is always its own marked record {value: what was thrown}.
    const error = (marked as { readonly value: unknown }).value;
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    const typed = error instanceof AppError ? { code: error.code, details: error.details } : {};
    return [{ name, message, stack, ...typed } satisfies SerializedError, []];
  },
  deserialize(error: SerializedError): never {
    if (error.name === 'AbortError') throw new DOMException(error.message, 'AbortError');
    const { code, message, stack } = error;
    const rebuilt = code ? new AppError(code, message, error.details) : new Error(message);
    if (!code) rebuilt.name = error.name;
    throw Object.assign(rebuilt, { stack });
  },
} satisfies Comlink.TransferHandler<unknown, SerializedError>);

/** Worker side: expose an API to the thread that started the worker, with errors that keep their class. */
export const serve = (api: object): void => Comlink.expose(api);

/**
 * A job yields events in order. `signal` fires as soon as the caller cancels, also in the middle of a step; the job
 * looks at it between steps and ends, by returning (after a last event, if there is something to keep) or by throwing.
 */
export type Job<E> = (signal: AbortSignal) => AsyncGenerator<E, void>;

/** The far end of a running job. The only thing that crosses the seam by proxy. */
export interface JobPort<E> {
  next(): Promise<IteratorResult<E, void>>;
  /** Aborts the job's signal. The job winds down at its next check; what it still yields is there for `next`. */
  cancel(): Promise<void>;
  /** Aborts the job's signal, discards what it still yields and waits until its cleanup has run. */
  close(): Promise<void>;
}

/** What an API method that starts a job returns on the worker's side. */
export type StartedJob<E> = JobPort<E> & Comlink.ProxyMarked;

/**
 * Worker side: run a job behind a port.
 *
 * @param transferables what to move instead of copy with an event: pixel buffers, bitmaps
 */
export function startJob<E>(
  run: Job<E>,
  transferables: (event: E) => Transferable[] = () => [],
): StartedJob<E> {
  const abort = new AbortController();
  const events = run(abort.signal);
  const cancel = async (): Promise<void> => abort.abort(new DOMException('cancelled', 'AbortError'));
  return Comlink.proxy({
    async next() {
      const result = await events.next();
      return result.done ? result : Comlink.transfer(result, transferables(result.value));
    },
    cancel,
    async close() {
      await cancel();
      // What the job throws on its way out belongs to the pending `next`; nobody waits for it here.
      await events.return().catch(() => {});
    },
  });
}

/**
 * Main side: the events of a job, in order. Aborting `signal` cancels the job: what it yields while winding down (a
 * partial result) is still delivered, then AbortError is thrown. Leaving the loop closes the job. Either way the loop
 * ends only after the job's cleanup has run, or at once when the worker is lost.
 *
 * @param starting what the remote API method returned
 * @param lost aborts with AppError WORKER_LOST when the worker dies (`Connection.lost`)
 * @throws AbortError when `signal` aborted; AppError WORKER_LOST; whatever the job throws
 */
export async function* follow<E>(
  starting: PromiseLike<Comlink.Remote<JobPort<E>>>,
  signal: AbortSignal,
  lost: AbortSignal,
): AsyncGenerator<E, void> {
  const port = await orAborted(starting, lost);
  const cancel = (): void => void orAborted(port.cancel(), lost).catch(() => {});
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  try {
    for (;;) {
      // Comlink types results as Remote<…>; an event is plain data, which it passes through as is.
      const next = port.next() as Promise<IteratorResult<E, void>>;
      const result = await orAborted(next, lost);
      if (result.done) break;
      yield result.value;
    }
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', cancel);
    await orAborted(port.close(), lost).catch(() => {});
    port[Comlink.releaseProxy]();
  }
}
