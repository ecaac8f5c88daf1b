/** Ways to learn a concept. One row per method; the training form and the command line come from here. */
import { customDiffusion } from './custom-diffusion';
import { dreambooth, dreamboothLora } from './dreambooth';
import type { PersonalizationMethod } from './method';
import { textualInversion } from './textual-inversion';

export const personalizationMethods: Readonly<Record<string, PersonalizationMethod>> = {
  'textual-inversion': textualInversion,
  'dreambooth-lora': dreamboothLora,
  'custom-diffusion': customDiffusion,
  dreambooth,
};
