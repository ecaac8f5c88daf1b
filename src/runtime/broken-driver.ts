import type { InferenceSession, Tensor } from 'onnxruntime-common';
import type { Ort, OrtLoader } from './ort';

/**
 * For tests: a runtime whose results hold one wrong value and no error, which is all that shows of a broken driver.
 *
 * @param broken  asked for every session, with the options that it is created with; default: all
 */
export const brokenDriver =
  (load: OrtLoader, broken: (provider: Provider) => boolean = () => true): OrtLoader =>
  async (name, settings) => {
    const ort = await load(name, settings);
    const create = async (model: Uint8Array, options: InferenceSession.SessionOptions) => {
      const session = await ort.InferenceSession.create(model, options);
      // `openBackend` gives one
      const provider = options.executionProviders![0] as Provider;
      if (!broken(provider)) return session;
      return {
        async run(feeds: InferenceSession.FeedsType, fetches: InferenceSession.FetchesType) {
          const results = await session.run(feeds, fetches);
          for (const tensor of Object.values(results)) spoil(tensor, provider);
          return results;
        },
        release: () => session.release(),
      };
    };
    return { ...ort, InferenceSession: { create } as unknown as Ort['InferenceSession'] };
  };

/** What `openBackend` asks ORT for. */
type Provider =
  | 'cpu'
  | 'wasm'
  | { readonly name: 'webgpu'; readonly preferredLayout: string; readonly device: GPUDevice };

/** One value, float32, is overwritten. */
function spoil(tensor: Tensor, provider: Provider): void {
  const value = Float32Array.of(9);
  if (typeof provider === 'string') (tensor.data as Float32Array).set(value, 7);
  else provider.device.queue.writeBuffer(tensor.gpuBuffer as GPUBuffer, 4 * 7, value);
}
