/** What a fit shows while it makes its guided samples, and keeps of them. */
import type { DiffusionModel } from '../diffusion/model';
import type { ImageRef } from '../document/document';
import { fromTensor } from '../formats/tensor';
import type { SteerEvent } from '../steering/steer';
import type { NdArray } from '../util/nd-array';
import type { Pixels } from '../util/pixels';
import type { FitEvent } from './events';
import type { EngineHost } from './host';
import { PreviewBudget } from './preview-budget';
import type { Timings } from './timings';

/** Share of the time of the guided samples that showing them may take. */
const SHARE = 0.05;

export interface FitPreviews {
  /** The photo as the model sees it: also what teaches the cheap previews their colours. */
  reconstruction(latent: NdArray, picture: NdArray): Promise<FitEvent>;
  /** @param ms  what the sampling step took */
  guided(event: Extract<SteerEvent, { kind: 'guided' }>, ms: number): Promise<FitEvent>;
  /** The samples as pictures, stored. */
  samples(latents: readonly NdArray[]): Promise<readonly ImageRef[]>;
}

export function fitPreviews(
  model: DiffusionModel,
  host: Pick<EngineHost, 'writeImage'>,
  timings: Timings,
): FitPreviews {
  let budget = new PreviewBudget(Number.POSITIVE_INFINITY, SHARE);
  const decoded = (latents: readonly NdArray[]): Promise<readonly [readonly Pixels[], number]> =>
    timings.of('previews', async () => {
      const pictures: Pixels[] = [];
      for (const latent of latents) pictures.push(fromTensor(await model.decode(latent)));
      return pictures;
    });
  return {
    async reconstruction(latent, picture) {
      model.latentRgb.fit(latent, picture);
      const [[pixels], ms] = await decoded([latent]);
      budget = new PreviewBudget(ms, SHARE);
      return { kind: 'preview', index: 0, quality: 'decoded', pixels: pixels! };
    },
    async guided({ index, total, samples, loss }, ms) {
      budget.step(ms);
      const isLast = index === total - 1;
      // on the way one shows how it goes; decoding all would leave most steps to the cheap, garish look
      const shown = isLast ? samples : samples.slice(0, 1);
      if (!isLast && !budget.affordsDecode) {
        const pictures = shown.map((latent) => model.latentRgb.apply(latent));
        return { kind: 'guided', index, total, quality: 'linear', pictures, loss };
      }
      const [pictures, took] = await decoded(shown);
      budget.decoded(took);
      return { kind: 'guided', index, total, quality: 'decoded', pictures, loss };
    },
    async samples(latents) {
      const [pictures] = await decoded(latents);
      return Promise.all(pictures.map((pixels, i) => host.writeImage(pixels, `guided sample ${i + 1}`)));
    },
  };
}
