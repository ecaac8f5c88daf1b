import type { BackendName } from '../../src/runtime/capabilities';
import { diskTree } from '../disk-tree';
import { withBrowser } from '../harness/browser';
import { nodeHost } from '../node-host';
import type { run as runInBrowser } from './in-browser';
import { type EditInput, type EditNews, type EditOutput, runEdit } from './run';

/** Runs an edit on the checkpoint in a folder of the disk. */
export type EditBackend = (
  input: EditInput,
  folder: string,
  gpuMemory: number | null,
  watch: (event: EditNews) => void,
) => Promise<EditOutput>;

const browser =
  (backend: BackendName): EditBackend =>
  (edit, folder, gpuMemory, watch) =>
    withBrowser(({ call, serve }) =>
      call<typeof runInBrowser>(
        'tools/edit/in-browser.ts',
        { edit, backend, gpuMemory, model: serve(folder) },
        watch,
      ),
    );

export const BACKENDS: Readonly<Record<BackendName, EditBackend>> = {
  node: (input, folder, _, watch) =>
    runEdit(
      nodeHost(async () => diskTree(folder)),
      input,
      watch,
    ),
  wasm: browser('wasm'),
  webgpu: browser('webgpu'),
};
