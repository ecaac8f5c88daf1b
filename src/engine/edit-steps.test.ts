import { expect, test } from 'vitest';
import type { PredictRows } from '../diffusion/guidance';
import { createModel } from '../diffusion/model';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { tinyModel } from '../training/tiny-model';
import { ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { editSteps } from './edit-steps';

const model = createModel(tinyModel(await openBackend('node', { load: loadOrtNode, threads: 1 })), {});

test('how a concept was learned decides whose empty prompt its edits are guided from; an old recipe does not tell', async () => {
  const [sourceWords, target, empty] = await Promise.all(['a cat', 'a dog', ''].map(model.embed));
  const source = ndArray(createTorchRng(1).randn(256), [1, 4, 8, 8]);
  const predictNoise: PredictRows = async (x, t, context) => {
    const noise = await model.predictNoise(x, t, context);
    return { ...noise, data: noise.data.map((v) => v + 0.1) };
  };
  const personal = { ...model, predictNoise };
  const directionOf = async (method: string | null, emptyPrompt = 'auto') => {
    const options = { steps: 1, guidanceScale: 3, emptyPrompt };
    const recipe = { method: 'dds-s', options, sourcePrompt: 'a cat', subject: null, seed: 1 };
    const concept = method === null ? {} : { method };
    const contexts = { source: sourceWords!, target: target!, empty: empty! };
    const subject = { model, personal, targetPrompt: 'a dog', contexts, source, paintedMask: null };
    for await (const step of editSteps({ ...subject, recipe: { ...recipe, concept } }, () => false)) {
      if ('direction' in step) return step.direction.data;
    }
    throw new Error('no step');
  };
  const [own, frozen] = [await directionOf(null, 'own'), await directionOf(null, 'frozen')];
  expect(frozen).not.toEqual(own);
  for (const method of ['custom-diffusion', 'textual-inversion']) {
    expect(await directionOf(method)).toEqual(frozen);
  }
  for (const method of ['dreambooth', 'dreambooth-lora', 'lora', null]) {
    expect(await directionOf(method)).toEqual(own);
  }
});

test('the outline of both is wider where the model attends to the new words in the result so far', async () => {
  const [sourceWords, target, empty] = await Promise.all(['a cat', 'a dog', ''].map(model.embed));
  const source = ndArray(createTorchRng(1).randn(256), [1, 4, 8, 8]);
  const maskOf = async (maskFrom: string, subject: string | null) => {
    const options = { steps: 1, guidanceScale: 3, maskFrom };
    const recipe = { method: 'dds-sm', options, sourcePrompt: 'a cat', subject, seed: 1 };
    const contexts = { source: sourceWords!, target: target!, empty: empty! };
    const given = { model, personal: model, targetPrompt: 'a dog', contexts, source, paintedMask: null };
    for await (const step of editSteps({ ...given, recipe }, () => false)) {
      if ('mask' in step) return step.mask;
    }
    throw new Error('no step');
  };
  const [alone, both] = [(await maskOf('source', 'cat'))!, (await maskOf('both', 'cat'))!];
  expect(both.data.every((v, i) => v >= alone.data[i]!)).toBe(true);
  expect(both.data).not.toEqual(alone.data);
  expect(await maskOf('both', null)).toBeNull();
});
