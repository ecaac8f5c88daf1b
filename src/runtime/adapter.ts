/** ms before each further time of asking. */
const AGAIN = [100, 200];

/** The strongest adapter; null where there is none. A browser that is just starting on Linux says null once or twice. */
export async function requestAdapter(gpu: GPU | undefined): Promise<GPUAdapter | null> {
  if (!gpu) return null;
  const ask = () => gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  let adapter = await ask();
  for (const pause of AGAIN) {
    if (adapter) break;
    await new Promise((resolve) => setTimeout(resolve, pause));
    adapter = await ask();
  }
  return adapter;
}
