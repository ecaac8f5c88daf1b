import { AppError } from '../../src/util/errors';
import type { BrowserFunction, Call, ErrorData, Message } from './protocol';

/** Runs modules of this repository in a dedicated worker, as the engine does. */
self.addEventListener('message', async ({ data }: MessageEvent<Call>) => {
  const { id, module, input } = data;
  const post = (message: Message): void => self.postMessage(message);
  try {
    const { run } = (await import(/* @vite-ignore */ `/${module}`)) as {
      run: BrowserFunction<unknown, unknown, unknown>;
    };
    post({ id, output: await run(input, (event) => post({ id, event })) });
  } catch (error) {
    post({ id, error: describe(error) });
  }
});

function describe(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { message: String(error), stack: '' };
  const { message, stack = '' } = error;
  return error instanceof AppError
    ? { message, stack, code: error.code, details: error.details }
    : { message, stack };
}
