import { expect, test } from 'vitest';
import { guidanceEmbedding, timestepEmbedding } from './embeddings';

const close = (ours: ArrayLike<number>, reference: readonly number[]): void => {
  expect(ours.length).toBe(reference.length);
  reference.forEach((v, i) => {
    expect(ours[i]).toBeCloseTo(v, 6);
  });
};

const EXPECTED = [
  [-0.99437386, 0.86782849, -0.15428719, 0.10592756, -0.4968639, 0.98802602],
  [-0.1977988, 0.00374999, 0.98024267, 0.99999297, 0.0],
  [-0.04478474, 0.11018915, 0.99112326, 0.60518634, -0.99899668, 0.99391061, 0.13294603, 0.79608387],
];

test('the timestep embedding is the one of diffusers', () => {
  // diffusers.models.embeddings.get_timestep_embedding(torch.tensor([801.]), 6, flip_sin_to_cos=True, downscale_freq_shift=0)
  close(timestepEmbedding([801], 6, { flipSinToCos: true, freqShift: 0 }).data, EXPECTED[0]!);
  // (torch.tensor([37.5]), 5, flip_sin_to_cos=False, downscale_freq_shift=1)
  close(timestepEmbedding([37.5], 5, { flipSinToCos: false, freqShift: 1 }).data, EXPECTED[1]!);
});

test('the guidance embedding is the one of the LCM pipeline', () => {
  // LatentConsistencyModelPipeline.get_guidance_scale_embedding(torch.tensor([7.5 - 1]), 8)
  close(guidanceEmbedding(7.5, 8).data, EXPECTED[2]!);
  expect(guidanceEmbedding(7.5, 8, 2).shape).toEqual([2, 8]);
});
