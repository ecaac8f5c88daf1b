/** The engine as the page has it, and the same engine asked from its own thread. */
import { createEngine, type Engine } from '../src/engine/engine';
import type { EditRequest } from '../src/engine/events';
import { loadOrtWeb } from '../src/runtime/ort-web';
import { startBackend } from '../src/runtime/start';
import { memoryBlobs } from '../src/storage/blobs';
import { httpTree } from '../src/storage/http-tree';
import { type JobPort, serve } from '../src/util/rpc';
import { blobHost } from '../tools/blob-host';
import { stepTimes } from './step-times';

const host = blobHost(memoryBlobs(), {
  startBackend: () => startBackend({ load: loadOrtWeb, force: 'wasm' }),
  // a model's id is the address of its folder
  openModel: async (id) => httpTree(new URL(id), id),
});
const engine = createEngine(host);

export interface SeamApi extends Pick<Engine, 'info' | 'edit'> {
  writeImage: typeof host.writeImage;
  /** An edit that nothing of leaves this thread. */
  direct(request: EditRequest): Promise<number[]>;
}

async function* eventsOf<E>(job: JobPort<E>): AsyncGenerator<E, void> {
  for (let next = await job.next(); !next.done; next = await job.next()) yield next.value;
}

serve({
  info: engine.info,
  edit: engine.edit,
  writeImage: host.writeImage,
  direct: (request) => stepTimes(eventsOf(engine.edit(request))),
} satisfies SeamApi);
