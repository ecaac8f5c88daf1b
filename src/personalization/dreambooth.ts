import { commonOptions, type PersonalizationMethod, PLAIN_TEMPLATE } from './method';

/**
 * Fine-tune the whole UNet on "a photo of a <rare word> <class>", while generated pictures of the class keep its meaning.
 *
 * With the article, as the paper's "a [V] dog" and as prompts have it in which a concept takes a subject's place;
 * diffusers' example leaves it out.
 *
 * @see Ruiz et al. 2023, "DreamBooth", arXiv:2208.12242; diffusers' train_dreambooth.py; METHOD.md 7.6
 */
export const dreambooth: PersonalizationMethod = {
  label: 'Whole model (DreamBooth)',
  help: 'Strongest likeness; needs the most memory and a file as large as the model.',
  defaults: { ...commonOptions, steps: 400, learningRate: 5e-6, priorPictures: 50 },
  presets: { quick: { steps: 200, priorPictures: 0 }, best: { steps: 800, priorPictures: 200 } },
  templates: [PLAIN_TEMPLATE],
  subject: (token, classWord) => `${token} ${classWord}`,
  rowsStart: 'class',
  unet: /./,
  text: /./,
  lora: null,
  augmentation: 'none',
  detachFirstToken: false,
  emptyPrompt: 'own',
};

/**
 * DreamBooth through low-rank updates of all attention projections.
 *
 * @see Hu et al. 2021, "LoRA", arXiv:2106.09685; diffusers' train_dreambooth_lora.py; METHOD.md 7.6
 */
export const dreamboothLora: PersonalizationMethod = {
  ...dreambooth,
  label: 'A small update (DreamBooth-LoRA)',
  help: 'Good likeness in a small file; the model itself stays as it is.',
  defaults: { ...commonOptions, steps: 500, learningRate: 1e-4, rank: 4, alpha: 4 },
  presets: { quick: { steps: 200, learningRate: 2e-4 }, best: { steps: 1000, rank: 8, alpha: 8 } },
  unet: null,
  text: null,
  lora: /\.(to_q|to_k|to_v|to_out\.0)\.weight$/,
};
