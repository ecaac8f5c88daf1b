import { commonOptions, type PersonalizationMethod } from './method';

/**
 * Learn nothing but new rows of the token table; every weight stays as it is.
 *
 * The learning rate is diffusers' 5e-4 × 4 accumulated pictures.
 *
 * @see Gal et al. 2022, "An Image is Worth One Word", arXiv:2208.01618; METHOD.md 7.5
 */
export const textualInversion: PersonalizationMethod = {
  label: 'A word (textual inversion)',
  help: 'Learns a new word; smallest file, changes the model in nothing.',
  defaults: { ...commonOptions, steps: 1500, learningRate: 2e-3, vectors: 1 },
  presets: { quick: { steps: 500 }, best: { steps: 3000, vectors: 2 } },
  templates: [
    'a photo of a {}',
    'a rendering of a {}',
    'a cropped photo of the {}',
    'the photo of a {}',
    'a photo of a clean {}',
    'a photo of a dirty {}',
    'a dark photo of the {}',
    'a photo of my {}',
    'a photo of the cool {}',
    'a close-up photo of a {}',
    'a bright photo of the {}',
    'a cropped photo of a {}',
    'a photo of the {}',
    'a good photo of the {}',
    'a photo of one {}',
    'a close-up photo of the {}',
    'a rendition of the {}',
    'a photo of the clean {}',
    'a rendition of a {}',
    'a photo of a nice {}',
    'a good photo of a {}',
    'a photo of the nice {}',
    'a photo of the small {}',
    'a photo of the weird {}',
    'a photo of the large {}',
    'a photo of a cool {}',
    'a photo of a small {}',
  ],
  subject: (token) => token,
  rowsStart: 'class',
  unet: null,
  text: null,
  lora: null,
  augmentation: 'flip',
  detachFirstToken: false,
  // the same, until a fit trains an update on top, in which nothing holds the empty prompt
  emptyPrompt: 'frozen',
};
