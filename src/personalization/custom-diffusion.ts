import { commonOptions, type PersonalizationMethod } from './method';

/**
 * Fine-tune keys and values of cross-attention together with a new word, on pictures in changing sizes.
 *
 * The learning rate is the reference's 1e-5 × batch 2 × 2 for prior preservation. Gradients through keys and values of
 * the first token are dropped, as in its attention.
 *
 * @see Kumari et al. 2023, "Multi-Concept Customization of Text-to-Image Diffusion", arXiv:2212.04488; METHOD.md 7.7;
 *      FORMATS.md 1.2 (c)
 */
export const customDiffusion: PersonalizationMethod = {
  label: 'Cross-attention (Custom Diffusion)',
  help: 'Learns a word and how the model listens to it; combines well with other concepts.',
  defaults: { ...commonOptions, steps: 250, learningRate: 4e-5, batch: 2, vectors: 1, priorPictures: 50 },
  presets: { quick: { steps: 100, priorPictures: 0 }, best: { steps: 500, priorPictures: 200 } },
  templates: ['photo of a {}'],
  subject: (token, classWord) => `${token} ${classWord}`,
  rowsStart: 'rare',
  unet: /\.attn2\.to_[kv]\.weight$/,
  text: null,
  lora: null,
  augmentation: 'scale',
  detachFirstToken: true,
  // the empty prompt is the first token alone, whose keys and values move without a gradient of theirs
  emptyPrompt: 'frozen',
};
