import { loadOrtNode } from '../src/runtime/ort-node';
import { withBrowser } from '../tools/harness/browser';
import { type Bench, takeTurns } from './measure';
import { createBench, inBrowser } from './programs';

/** One UNet forward: the browser against Node on the same cores, and WebGPU on the software adapter for the record. */
export const unetForward: Bench = async () => {
  const node = createBench(loadOrtNode);
  return withBrowser(async (browser) => {
    const starter = { unet: 'starter', batch: 2 } as const;
    const big = await takeTurns({
      node: (runs) => node.time({ backend: 'node', ...starter }, runs),
      wasm: inBrowser(browser, { backend: 'wasm', ...starter }),
    });
    const tiny = { unet: 'tiny', batch: 1 } as const;
    const small = await takeTurns(
      {
        wasm: inBrowser(browser, { backend: 'wasm', ...tiny }),
        webgpu: inBrowser(browser, { backend: 'webgpu', ...tiny }),
        captured: inBrowser(browser, { backend: 'webgpu', capture: true, ...tiny }),
      },
      { turns: 3, runs: 3 },
    );
    return [
      { name: 'starter UNet, 2 rows, onnxruntime-node', value: big.node, unit: 'ms' },
      { name: 'starter UNet, 2 rows, browser WASM', value: big.wasm, unit: 'ms' },
      { name: 'browser WASM ÷ onnxruntime-node', value: big.wasm / big.node, unit: '×', target: 3.5 },
      { name: 'tiny UNet, browser WASM', value: small.wasm, unit: 'ms' },
      { name: 'tiny UNet, WebGPU on SwiftShader', value: small.webgpu, unit: 'ms' },
      { name: 'tiny UNet, WebGPU on SwiftShader, captured', value: small.captured, unit: 'ms' },
    ];
  });
};
