import { probeCapabilities } from '../src/runtime/capabilities';

/** What WebGPU runs on in this browser. */
export const run = async (_: null) => (await probeCapabilities()).adapter;
