import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { chromium } from 'playwright';
import { createServer, type ViteDevServer } from 'vite';
import { isolationHeaders } from '../../src/response-headers';
import { AppError, type ErrorCode } from '../../src/util/errors';
import { chromiumLaunch, ensureChromium } from '../chromium';
import { ServedFolders } from './files';
import { type Heap, watchHeap } from './heap';
import type { ErrorData } from './protocol';

const ROOT = resolve(import.meta.dirname, '../..');

/** A headless Chromium that runs modules of this repository in a cross-origin isolated worker. */
export interface HarnessBrowser {
  /**
   * Call `run(input, emit)` of a module, given by its path from the repository's root. Input, events and output are
   * plain data and typed arrays. Type argument: `typeof import('…').run`.
   *
   * @throws what `run` throws; AppError keeps its code
   */
  call<F extends (input: never, emit: never) => Promise<unknown>>(
    module: string,
    input: Parameters<F>[0],
    onEvent?: Parameters<F>[1],
  ): Promise<Awaited<ReturnType<F>>>;
  /** What page and worker hold. */
  heap(): Promise<Heap>;
  /** Address under which the browser can read a folder of the disk, ending in '/'. */
  serve(folder: string): string;
}

/**
 * Start a browser, use it, close it.
 *
 * @param interrupt  'close': Ctrl-C ends the browser and the process; 'ask': it is left to the caller
 * @throws Error with one plain message when there is no Chromium and none can be installed
 */
export async function withBrowser<T>(
  use: (browser: HarnessBrowser) => Promise<T>,
  interrupt: 'close' | 'ask' = 'close',
): Promise<T> {
  await ensureChromium();
  const folders = new ServedFolders();
  const server = await serve(folders);
  const options = chromiumLaunch();
  // memory is otherwise measured when a collection happens to come by
  const args = [...(options.args ?? []), '--enable-blink-features=ForceEagerMeasureMemory'];
  const browser = await chromium.launch({ ...options, args, handleSIGINT: interrupt === 'close' });
  try {
    const { port } = server.httpServer!.address() as AddressInfo;
    const origin = `http://localhost:${port}`;
    const page = await browser.newPage();
    const crashed = new Promise<never>((_, reject) => {
      page.on('crash', () => reject(new AppError('WORKER_LOST', 'the browser page crashed')));
    });
    crashed.catch(() => {});
    const listeners = new Map<number, (event: never) => void>();
    await page.exposeFunction('emit', (id: number, event: never) => listeners.get(id)?.(event));
    await page.goto(`${origin}/tools/harness/page.html`);
    await page.waitForFunction(() => 'call' in globalThis);
    let watching: ReturnType<typeof watchHeap> | null = null;
    let calls = 0;
    return await use({
      call: async (module, input, onEvent) => {
        const id = calls++;
        if (onEvent) listeners.set(id, onEvent);
        const answering = page.evaluate((call) => globalThis.call(call), { id, module, input });
        const answer = await Promise.race([answering, crashed]);
        listeners.delete(id);
        if ('error' in answer) throw restored(answer.error);
        return answer.output as never;
      },
      heap: async () => {
        watching ??= watchHeap(page);
        return (await watching)();
      },
      serve: (folder) => origin + folders.add(folder),
    });
  } finally {
    await browser.close();
    await server.close();
  }
}

async function serve(folders: ServedFolders): Promise<ViteDevServer> {
  const server = await createServer({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    cacheDir: '.cache/harness',
    appType: 'mpa',
    server: { port: 0, host: 'localhost', hmr: false, ws: false, watch: null, headers: isolationHeaders },
    // a dependency found late would reload the page in the middle of a call
    optimizeDeps: {
      noDiscovery: true,
      include: ['protobufjs/light', 'exifreader', 'pica', 'ml-matrix'],
      exclude: ['onnxruntime-web'],
    },
    plugins: [
      {
        name: 'served-folders',
        configureServer: ({ middlewares }) => void middlewares.use(folders.middleware),
      },
    ],
  });
  return server.listen();
}

function restored({ message, stack, code, details }: ErrorData): Error {
  // codes come from AppError in the worker
  const error = code ? new AppError(code as ErrorCode, message, details) : new Error(message);
  if (stack) error.stack = stack;
  return error;
}
