import { expect, test } from 'vitest';
import type { Recipe } from '../document/document';
import { pngMetadata, readRecipe } from './metadata';
import { encodePng, findText, type PngChunk, readChunks, textChunk } from './png';
import { RECIPE_LIMIT, recipeFromJson, recipeToJson, recipeToParameters } from './recipe-text';

const recipe: Recipe = {
  app: 'DreamSteerer Studio',
  version: 1,
  model: 'starter',
  method: 'dds-sm',
  sourcePrompt: 'a photo of a cat, asleep: "Miso"',
  targetPrompt: 'a photo of a dog\nasleep',
  subject: 'cat',
  seed: 4_294_967_296,
  options: { steps: 30, guidanceScale: 7.5, preview: true },
  photo: { id: '0f'.repeat(32), width: 4032, height: 3024 },
  square: { x: 504, y: 0, size: 3024 },
  mask: 'ab'.repeat(32),
  concept: null,
};
const picture = { data: new Uint8ClampedArray(4 * 3 * 2).fill(255), width: 3, height: 2 };
const png = (chunks: readonly PngChunk[]): Promise<Uint8Array<ArrayBuffer>> =>
  encodePng(picture, chunks).bytes();
const withRecipe = (json: string): Promise<Uint8Array<ArrayBuffer>> =>
  png([textChunk('dreamsteerer', json, true)]);

test('a recipe survives the way through a PNG', async () => {
  expect(readRecipe(await png(pngMetadata(recipe)))).toEqual(recipe);
  expect(readRecipe(await png(pngMetadata(null)))).toBeNull();
});

test('a recipe that is damaged, foreign, hostile or too long is no recipe', async () => {
  const with_ = (change: object): string => JSON.stringify({ ...recipe, ...change });
  const bad = [
    '',
    '{',
    'null',
    '[]',
    '"text"',
    with_({ app: 'Other' }),
    with_({ version: 2 }),
    with_({ seed: -1 }),
    with_({ seed: 1.5 }),
    with_({ seed: '0' }),
    with_({ targetPrompt: 7 }),
    with_({ targetPrompt: 'x'.repeat(20_000) }),
    with_({ photo: { id: '../../secret', width: 10, height: 10 } }),
    with_({ photo: { ...recipe.photo, width: 1e9 } }),
    with_({ square: { x: 0, y: 0, size: null } }),
    with_({ mask: 'not an id' }),
    with_({ padding: 'x'.repeat(RECIPE_LIMIT) }),
    '['.repeat(60_000),
  ];
  for (const json of bad)
    expect([json.slice(0, 40), readRecipe(await withRecipe(json))]).toEqual([json.slice(0, 40), null]);
  const hostile = `{"__proto__":{"polluted":1},"options":{"__proto__":{"polluted":1}},${recipeToJson(recipe).slice(1)}`;
  expect(readRecipe(await withRecipe(hostile))).toEqual(recipe);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test('fields that no recipe has are left out', () => {
  expect(
    recipeFromJson(JSON.stringify({ ...recipe, extra: 1, options: { ...recipe.options, nested: {} } })),
  ).toEqual(recipe);
});

test('the text for other programs is what A1111 parses', () => {
  const text = recipeToParameters(recipe);
  const [prompt, ...rest] = text.split('\nNegative prompt: \n');
  expect(prompt).toBe(recipe.targetPrompt);
  // A1111's own expression for the last line: modules/infotext_utils.py, re_param_code
  const pairs = [...rest.join().matchAll(/\s*([\w ]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/g)].map(
    ([, key, value]) => [key, value!.startsWith('"') ? JSON.parse(value!) : value],
  );
  expect(Object.fromEntries(pairs)).toEqual({
    Steps: '30',
    Sampler: 'DDS-SM',
    'CFG scale': '7.5',
    Seed: '4294967296',
    Size: '3024x3024',
    Model: 'starter',
    'Source prompt': recipe.sourcePrompt,
    Subject: 'cat',
    Version: 'DreamSteerer Studio',
  });
});

test('text goes into tEXt where Latin-1 suffices and into iTXt where not', () => {
  expect(textChunk('parameters', 'grüne Wiese')).toMatchObject({ type: 'tEXt' });
  expect(textChunk('parameters', '緑').type).toBe('iTXt');
  expect(findText([textChunk('k', 'ü緑', true)], 'k', 100)).toBe('ü緑');
  expect(findText([textChunk('k', 'long', true)], 'k', 3)).toBeNull();
  expect(findText([textChunk('kk', 'other', true)], 'k', 100)).toBeNull();
  const cut = textChunk('k', '', true);
  expect(findText([{ ...cut, data: cut.data.subarray(0, 4) }], 'k', 100)).toBeNull();
  const compressed = textChunk('k', 'x', true);
  compressed.data[2] = 1;
  expect(findText([compressed], 'k', 100)).toBeNull();
});

test('every cut and every flipped byte of a PNG is noticed', async () => {
  const bytes = await png(pngMetadata(recipe));
  for (let end = 0; end < bytes.length; end += 7) {
    expect(() => readChunks(bytes.subarray(0, end))).toThrow(/damaged/);
  }
  for (let at = 8; at < bytes.length; at += 5) {
    const flipped = bytes.slice();
    flipped[at]! ^= 0x40;
    expect(() => readChunks(flipped)).toThrow(/damaged/);
    expect(readRecipe(flipped)).toBeNull();
  }
});

test('a length that points beyond the file is refused before it is read', async () => {
  const bytes = await png([]);
  new DataView(bytes.buffer).setUint32(8, 0xffff_fff0);
  expect(() => readChunks(bytes)).toThrow(/cut short/);
});
