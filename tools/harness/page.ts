import type { Call, ErrorData, Message } from './protocol';

declare global {
  /** Called from Node. Settles with the worker's answer; never rejects, so that errors keep their data. */
  var call: (call: Call) => Promise<{ readonly output: unknown } | { readonly error: ErrorData }>;
  /** Offered by Node. */
  var emit: (id: number, event: unknown) => Promise<void>;
}

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
/** Events reach Node in order, and before the result they precede. */
let delivered = Promise.resolve();

globalThis.call = ({ id, module, input }) =>
  new Promise((resolve) => {
    const settle = async (answer: { output: unknown } | { error: ErrorData }): Promise<void> => {
      worker.removeEventListener('message', receive);
      worker.removeEventListener('error', fail);
      await delivered;
      resolve(answer);
    };
    const receive = ({ data }: MessageEvent<Message>): void => {
      if (data.id !== id) return;
      if ('event' in data) delivered = delivered.then(() => globalThis.emit(id, data.event));
      else void settle(data);
    };
    const fail = ({ message }: ErrorEvent): void =>
      void settle({ error: { message: `the worker failed: ${message}`, stack: '' } });
    worker.addEventListener('message', receive);
    worker.addEventListener('error', fail);
    worker.postMessage({ id, module, input });
  });
