import { onHardware } from '../tools/chromium';

/** What benches in the browser compute on: a software WebGPU adapter is no measure of one. */
export const BROWSER_BACKEND = onHardware ? ('webgpu' as const) : ('wasm' as const);
