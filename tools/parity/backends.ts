import { runOnNode } from '../../src/onnx/run-node';
import type { RunGraph } from './parity';

export type BackendName = 'node' | 'wasm' | 'webgpu';

/** A way to run graphs, open until closed. */
export interface Backend {
  readonly run: RunGraph;
  readonly close: () => Promise<void>;
}

/** How to open each backend; the browser ones start a headless Chromium. */
export const BACKENDS: Partial<Record<BackendName, () => Promise<Backend>>> = {
  node: async () => ({
    run: (g, outputs, feeds, weights) => runOnNode(g, outputs, new Map([...weights, ...feeds])),
    close: async () => {},
  }),
};
