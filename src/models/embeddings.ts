import { type NdArray, ndArray } from '../util/nd-array';

export interface EmbeddingOptions {
  /** [cos, sin] instead of [sin, cos] */
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
}

/**
 * Sinusoidal embedding of timesteps, [B, dim]. Computed on the host: software GPUs have sines that are 2e-4 off.
 *
 * a = t·exp(-ln(10⁴)·i / (dim/2 - freqShift)), rounded to float32 as the reference does so that large timesteps agree.
 *
 * @param timesteps  [B], in [0, T); may be fractional
 * @see Ho et al. 2020, arXiv:2006.11239, and diffusers' get_timestep_embedding
 */
export function timestepEmbedding(
  timesteps: readonly number[],
  dim: number,
  { flipSinToCos, freqShift }: EmbeddingOptions,
): NdArray {
  const half = Math.floor(dim / 2);
  const data = new Float32Array(timesteps.length * dim);
  const [sinAt, cosAt] = flipSinToCos ? [half, 0] : [0, half];
  timesteps.forEach((t, row) => {
    for (let i = 0; i < half; i++) {
      const exponent = Math.fround(Math.fround(-Math.log(10_000) * i) / Math.fround(half - freqShift));
      const angle = Math.fround(Math.fround(t) * Math.fround(Math.exp(exponent)));
      data[row * dim + sinAt + i] = Math.sin(angle);
      data[row * dim + cosAt + i] = Math.cos(angle);
    }
  });
  return ndArray(data, [timesteps.length, dim]);
}

/**
 * Embedding of the guidance scale for models with `time_cond_proj_dim`, [B, dim].
 *
 * @param guidanceScale  w of classifier-free guidance, 1 = none
 * @see Luo et al. 2023, "Latent Consistency Models", arXiv:2310.04378; diffusers' get_guidance_scale_embedding
 */
export const guidanceEmbedding = (guidanceScale: number, dim: number, batch = 1): NdArray =>
  timestepEmbedding(Array<number>(batch).fill((guidanceScale - 1) * 1000), dim, {
    flipSinToCos: false,
    freqShift: 1,
  });
