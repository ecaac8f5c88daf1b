import type { CDPSession, Page } from 'playwright';

/** Bytes of JavaScript heap after a collection. */
export interface Heap {
  /** in the page and its worker, whatever it is in */
  readonly all: number;
  /**
   * In the worker, without what the JavaScript engine compiles and notes about code, which grows for as long as it finds
   * code worth compiling better: objects, strings, arrays and their memory.
   */
  readonly data: number;
}

/** Weighs the heap of a page with one worker. */
export async function watchHeap(page: Page): Promise<() => Promise<Heap>> {
  const worker = await attachToWorker(await page.context().newCDPSession(page));
  return async () => {
    // taking a snapshot collects first, more thoroughly than measuring does
    const data = weigh(await worker.snapshot());
    return { all: await page.evaluate(measureAll), data };
  };
}

/** Runs in the page. */
async function measureAll(): Promise<number> {
  interface Memory {
    readonly breakdown: readonly { readonly bytes: number; readonly types: readonly string[] }[];
  }
  // not yet in TypeScript's library
  const { breakdown } = await (
    performance as unknown as { measureUserAgentSpecificMemory(): Promise<Memory> }
  ).measureUserAgentSpecificMemory();
  return breakdown
    .filter(({ types }) => types.includes('JavaScript'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

/** What the protocol sends back and unasked. */
interface Received {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly chunk: string };
}

/** Playwright has no session for workers: messages go through the page's. */
async function attachToWorker(
  session: CDPSession,
): Promise<{ readonly snapshot: () => Promise<HeapSnapshot> }> {
  const attached = new Promise<string>((resolve) => {
    session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
      if (targetInfo.type === 'worker') resolve(sessionId);
    });
  });
  await session.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  const sessionId = await attached;
  let count = 0;
  return {
    snapshot: () =>
      new Promise((resolve, reject) => {
        const id = count++;
        const chunks: string[] = [];
        const receive = (event: { readonly sessionId: string; readonly message: string }): void => {
          if (event.sessionId !== sessionId) return;
          const received = JSON.parse(event.message) as Received;
          if (received.method === 'HeapProfiler.addHeapSnapshotChunk') chunks.push(received.params!.chunk);
          if (received.id !== id) return;
          session.off('Target.receivedMessageFromTarget', receive);
          try {
            resolve(JSON.parse(chunks.join('')));
          } catch {
            reject(new Error(`no heap snapshot of the worker: ${event.message}`));
          }
        };
        session.on('Target.receivedMessageFromTarget', receive);
        const message = JSON.stringify({ id, method: 'HeapProfiler.takeHeapSnapshot', params: {} });
        session.send('Target.sendMessageToTarget', { sessionId, message }).catch(reject);
      }),
  };
}

/** As Chromium's developer tools save it: nodes are a row of numbers each, which `meta` names. */
interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** Bytes of everything but compiled code. */
function weigh({ snapshot, nodes, strings }: HeapSnapshot): number {
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field));
  let bytes = 0;
  for (let at = 0; at < nodes.length; at += fields.length) {
    const compiled =
      types[0][nodes[at + type!]!] === 'code' || strings[nodes[at + name!]!]!.includes('WasmNativeModule');
    if (!compiled) bytes += nodes[at + size!]!;
  }
  return bytes;
}
