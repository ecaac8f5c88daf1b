import type { StageName } from '../engine/events';

/** What a job is doing, in words; a stage without a row does not compile. */
export const stageWords: Readonly<Record<StageName | 'queued', string>> = {
  queued: 'Waiting',
  load: 'Loading the model',
  compile: 'Preparing the networks',
  encode: 'Reading the pixels',
  invert: 'Tracing the photo back to noise',
  'null-text': 'Learning to retrace the photo',
  guide: 'Trying the concept in this layout',
  fit: 'Fitting the concept to the photo',
  edit: 'Editing',
  prior: 'Making pictures of the class',
  learn: 'Learning',
  look: 'Looking at the words',
  decode: 'Finishing',
};
