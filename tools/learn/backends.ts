import type { BackendName } from '../../src/runtime/capabilities';
import { AppError } from '../../src/util/errors';
import { diskTree } from '../disk-tree';
import { withBrowser } from '../harness/browser';
import { nodeHost } from '../node-host';
import type { LearnArguments } from './arguments';
import type { run as runInBrowser } from './learn.browser';
import { type LearnInput, type LearnNews, type LearnOutput, runLearn } from './run';

/** Learns on the checkpoint in a folder of the disk. */
export type LearnBackend = (
  input: LearnInput,
  folder: string,
  watch: (news: LearnNews) => void,
  signal: AbortSignal,
  hardware: Pick<LearnArguments, 'threads' | 'gpuMemory'>,
) => Promise<LearnOutput>;

const browser =
  (backend: BackendName): LearnBackend =>
  (learn, folder, watch, signal, { gpuMemory }) =>
    withBrowser(async ({ call, serve }) => {
      const module = 'tools/learn/learn.browser.ts';
      const cancel = (): void => void call<typeof runInBrowser>(module, null).catch(() => {});
      signal.addEventListener('abort', cancel, { once: true });
      const output = await call<typeof runInBrowser>(
        module,
        { learn, backend, gpuMemory, model: serve(folder) },
        watch,
      ).catch((error: unknown) => {
        // AbortError does not keep its class across the harness
        throw signal.aborted && !(error instanceof AppError) ? signal.reason : error;
      });
      return output!;
    }, 'ask');

export const BACKENDS: Readonly<Record<BackendName, LearnBackend>> = {
  node: (input, folder, watch, signal, { threads }) =>
    runLearn(
      nodeHost(async () => diskTree(folder), threads ?? undefined),
      input,
      watch,
      signal,
    ),
  wasm: browser('wasm'),
  webgpu: browser('webgpu'),
};
