import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import nodeEndpoint from 'comlink/dist/esm/node-adapter';
import { afterEach, expect, test } from 'vitest';
import { type Connection, connect, type WorkerLike } from './connect';

interface Api {
  pid(): number;
  hang(): Promise<never>;
  crash(): void;
}

const comlink = pathToFileURL(createRequire(import.meta.url).resolve('comlink/dist/esm/comlink.mjs'));
const adapter = pathToFileURL(createRequire(import.meta.url).resolve('comlink/dist/esm/node-adapter.mjs'));
const code = `
  import { parentPort, threadId } from 'node:worker_threads';
  import { expose } from '${comlink}';
  import nodeEndpoint from '${adapter}';
  expose({
    pid: () => threadId,
    hang: () => new Promise(() => {}),
    crash: () => { setTimeout(() => { throw new Error('out of memory in wasm'); }); },
  }, nodeEndpoint(parentPort));`;

/** A real thread with the surface of the DOM's Worker. */
function spawn(source = code): WorkerLike {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const endpoint = nodeEndpoint(worker);
  return {
    ...endpoint,
    addEventListener: (type, listener, options) => {
      if (type === 'message') endpoint.addEventListener(type, listener, options);
      else worker.on(type, (value) => (listener as (event: unknown) => void)(value));
    },
    terminate: () => worker.terminate(),
  };
}

let connection: Connection<Api>;
afterEach(() => connection.terminate());

test('a crash settles every pending call with WORKER_LOST and the next use starts afresh', async () => {
  connection = connect<Api>(() => spawn());
  const { lost } = connection;
  const first = await connection.api.pid();
  const pending = [connection.api.hang(), connection.api.hang()];
  await connection.api.crash();
  for (const call of pending) {
    await expect(call).rejects.toMatchObject({
      code: 'WORKER_LOST',
      message: expect.stringContaining('out of memory in wasm'),
    });
  }
  expect(lost.aborted).toBe(true);
  expect(await connection.api.pid()).not.toBe(first);
  expect(connection.lost.aborted).toBe(false);
});

test('terminate settles pending calls at once', async () => {
  connection = connect<Api>(() => spawn());
  const { api } = connection;
  const hanging = api.hang();
  await api.pid();
  connection.terminate('stopped by hand');
  await expect(hanging).rejects.toMatchObject({ code: 'WORKER_LOST', message: 'stopped by hand' });
  await expect(api.pid()).rejects.toMatchObject({ code: 'WORKER_LOST' });
});

test('a worker whose script cannot run is lost, not silent', async () => {
  connection = connect<Api>(() => spawn('import "./no-such-file.mjs"'));
  await expect(connection.api.pid()).rejects.toMatchObject({ code: 'WORKER_LOST' });
});
