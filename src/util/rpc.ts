import * as Comlink from 'comlink';
import { AppError, type ErrorCode } from './errors';

/** What crosses the seam for a thrown error: Comlink alone keeps only name, message and stack. */
interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code?: ErrorCode;
  readonly details?: Readonly<Record<string, unknown>>;
}

const thrown = Comlink.transferHandlers.get('throw')!;
Comlink.transferHandlers.set('throw', {
  canHandle: thrown.canHandle,
  serialize(marked: unknown) {
    const { value } = marked as { value: unknown };
    const { name, message, stack } = value instanceof Error ? value : new Error(String(value));
    const wire: WireError = {
      name,
      message,
      stack,
      ...(value instanceof AppError && { code: value.code, details: value.details }),
    };
    return [wire, []];
  },
  deserialize(wire: WireError) {
    if (wire.name === 'AbortError') throw new DOMException(wire.message, 'AbortError');
    const error = wire.code ? new AppError(wire.code, wire.message, wire.details) : new Error(wire.message);
    throw Object.assign(error, { stack: wire.stack });
  },
} as Comlink.TransferHandler<unknown, WireError>);

/**
 * How a job is told to end early. `cancel`: drop everything, nobody waits for a result. `finish`: stop at the next
 * network call, keep what there is and yield it as the result.
 */
export interface JobSignals {
  readonly cancel: AbortSignal;
  readonly finish: AbortSignal;
}

/** Worker side: one request in, one ordered stream of events out. */
export type Job<E> = (signals: JobSignals) => AsyncGenerator<E, void>;

export interface JobPort<E> {
  next(): Promise<IteratorResult<E, void>>;
  cancel(): Promise<void>;
  finish(): void;
}

/**
 * Worker side: start a job and hand its port to the main thread.
 *
 * @param transferables  buffers of an event to move instead of copy
 */
export function startJob<E>(
  run: Job<E>,
  transferables: (event: E) => Transferable[] = () => [],
): JobPort<E> & Comlink.ProxyMarked {
  const cancel = new AbortController();
  const finish = new AbortController();
  const events = run({ cancel: cancel.signal, finish: finish.signal });
  return Comlink.proxy({
    async next() {
      const result = await events.next();
      return result.done ? result : Comlink.transfer(result, transferables(result.value));
    },
    async cancel() {
      cancel.abort(new DOMException('cancelled', 'AbortError'));
      await events.return().catch(() => {});
    },
    finish() {
      finish.abort();
    },
  });
}

/**
 * Main side: yield a job's events in order. Aborting `signals.cancel` or leaving the loop cancels the job; aborting
 * `signals.finish` asks it to end early with a result.
 *
 * @param lost  rejects when the worker is gone
 * @throws AbortError after cancel, whatever the job throws, or what `lost` rejects with
 */
export async function* follow<E>(
  starting: Promise<Comlink.Remote<JobPort<E>>>,
  signals: JobSignals,
  lost: Promise<never>,
): AsyncGenerator<E, void> {
  const port = await Promise.race([starting, lost]);
  const cancel = (): void => void port.cancel();
  const finish = (): void => void port.finish();
  signals.cancel.addEventListener('abort', cancel);
  signals.finish.addEventListener('abort', finish);
  if (signals.cancel.aborted) cancel();
  if (signals.finish.aborted) finish();
  try {
    for (;;) {
      const result = (await Promise.race([port.next(), lost])) as IteratorResult<E, void>;
      if (result.done) break;
      yield result.value;
    }
    signals.cancel.throwIfAborted();
  } finally {
    signals.cancel.removeEventListener('abort', cancel);
    signals.finish.removeEventListener('abort', finish);
    await Promise.race([port.cancel(), lost]).catch(() => {});
    port[Comlink.releaseProxy]();
  }
}
