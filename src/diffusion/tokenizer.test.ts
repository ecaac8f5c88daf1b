import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createTokenizer, tokenizerSettings } from './tokenizer';

/** Ids: 0…255 bytes, 256…511 bytes that end a word, 512 ca, 513 cat, 514 do, 515 dog, 516 on, 517 start, 518 end. */
const merges = '#version: 0.2\nc a\nca t</w>\nd o\ndo g</w>\no n</w>\n';
const tokenizer = (options: { modelMaxLength?: number; padToken?: string; vectors?: number } = {}) =>
  createTokenizer({
    merges,
    modelMaxLength: 12,
    ...options,
    placeholders: [
      { token: '<Pet>', vectors: options.vectors ?? 1 },
      { token: '<petal>', vectors: 1 },
    ],
  });
const prompt = (text: string, tokens = tokenizer()) => {
  const { ids, length } = tokens.encode(text);
  return ids.slice(1, length - 1);
};

describe('a tokenizer built from five merges', () => {
  test('derives every id from the merges alone', () => {
    const { vocabSize, bosId, eosId, padId, encode } = tokenizer();
    expect([vocabSize, bosId, eosId, padId]).toEqual([519, 517, 518, 518]);
    expect(encode('CAT on\t dog').ids).toEqual([517, 513, 516, 515, 518, 518, 518, 518, 518, 518, 518, 518]);
  });

  test('pads with the token that the model was trained on', () => {
    expect(tokenizer({ padToken: '!', modelMaxLength: 5 }).encode('cat').ids).toEqual([517, 513, 518, 0, 0]);
    expect(() => tokenizer({ padToken: '[PAD]' })).toThrow(/no token \[PAD\]/);
  });

  test('says which word each token belongs to', () => {
    const { words, length } = tokenizer().encode('Cat, cow');
    expect(words.slice(0, length)).toEqual([null, 'cat', ',', 'cow', 'cow', 'cow', null]);
    expect(words[length]).toBeNull();
  });

  test('cuts a long prompt and says so', () => {
    const short = tokenizer({ modelMaxLength: 5 });
    expect(short.encode('cat dog cat')).toMatchObject({ ids: [517, 513, 515, 513, 518], truncated: false });
    expect(short.encode('cat dog cat on')).toMatchObject({ ids: [517, 513, 515, 513, 518], truncated: true });
  });

  test('finds the positions of a phrase as whole words, everywhere it occurs', () => {
    const { tokenPositions } = tokenizer({ modelMaxLength: 20 });
    expect(tokenPositions('cat on cow, Cat', 'CAT')).toEqual([1, 7]);
    expect(tokenPositions('cat on cow, cat', 'on cow')).toEqual([2, 3, 4, 5]);
    expect(tokenPositions('cats on dog', 'cat')).toEqual([]);
    expect(tokenPositions('cat', '')).toEqual([]);
  });

  test('leaves out positions that were cut off', () => {
    expect(tokenizer({ modelMaxLength: 4 }).tokenPositions('dog on cat', 'cat')).toEqual([]);
  });

  test('placeholders come before words, in any case, longest first, also inside words', () => {
    expect(prompt('a<PET>b')).toEqual([320, 519, 321]);
    expect(prompt('<petal> <pet>!')).toEqual([520, 519, 256]);
    expect(prompt('!!<pet>')).toEqual([0, 256, 519]);
  });

  test('a placeholder of several vectors expands to all, and each can be named', () => {
    const tokens = tokenizer({ vectors: 3 });
    expect(prompt('<pet> on', tokens)).toEqual([519, 520, 521, 516]);
    expect(prompt('<pet>_2', tokens)).toEqual([521]);
    expect(prompt('<petal>', tokens)).toEqual([522]);
    expect(tokens.placeholderIds('<PET>')).toEqual([519, 520, 521]);
    expect(tokens.placeholderIds('<other>')).toEqual([]);
    expect(tokens.tokenPositions('on <pet> cat', '<pet>')).toEqual([2, 3, 4]);
  });

  test.each(['', '  ', '<|endoftext|>'])('the placeholder %j is refused', (token) => {
    expect(() =>
      createTokenizer({ merges, modelMaxLength: 9, placeholders: [{ token, vectors: 1 }] }),
    ).toThrow(/placeholder/);
  });

  test('a malformed merges.txt is refused', () => {
    expect(() => createTokenizer({ merges: '<!DOCTYPE html>\n<p>', modelMaxLength: 9 })).toThrow(
      /two symbols/,
    );
  });
});

describe('settings beside merges.txt', () => {
  test('Stable Diffusion 1 pads with end of text, 2 with "!"', () => {
    const config = { model_max_length: 77, pad_token: '<|endoftext|>' };
    expect(tokenizerSettings(config, { pad_token: '<|endoftext|>' }).padToken).toBe('<|endoftext|>');
    expect(tokenizerSettings(config, { pad_token: '!' }).padToken).toBe('!');
    expect(tokenizerSettings(config, { pad_token: { content: '!', lstrip: false } }).padToken).toBe('!');
  });

  test('absent files and unknown lengths fall back to CLIP', () => {
    expect(tokenizerSettings(null, undefined)).toEqual({ modelMaxLength: 77, padToken: '<|endoftext|>' });
    expect(tokenizerSettings({ model_max_length: 1e30 }, {}).modelMaxLength).toBe(77);
    expect(tokenizerSettings({ model_max_length: 32 }, {}).modelMaxLength).toBe(32);
  });
});

const fixtures = new URL('../../../shared/fixtures/', import.meta.url);
describe.skipIf(!existsSync(fixtures))(
  "CLIP's own merges (skipped where ../shared/fixtures is absent)",
  () => {
    const read = (name: string) => readFileSync(new URL(name, fixtures));
    const clip = () => gunzipSync(read('bpe_simple_vocab_16e6.txt.gz')).toString();
    interface Case {
      text: string;
      ids: number[];
      pad77?: number[];
      added?: Record<string, number>;
    }
    const cases: Case[] = existsSync(fixtures) ? JSON.parse(read('golden_tokens.json').toString()).cases : [];
    const plain = existsSync(fixtures) ? createTokenizer({ merges: clip(), modelMaxLength: 77 }) : null;
    const added = cases.find((c) => c.added)?.added ?? {};
    const placeholders = Object.keys(added).map((token) => ({ token, vectors: 1 }));
    const learned = plain && createTokenizer({ merges: clip(), modelMaxLength: 77, placeholders });

    test.each(cases.map((c) => [c.text, c] as const))('%j gives the golden ids', (text, golden) => {
      const encoded = (golden.added ? learned : plain)!.encode(text);
      expect(encoded.ids.slice(0, encoded.length)).toEqual(golden.ids);
      if (golden.pad77) expect(encoded.ids).toEqual(golden.pad77);
    });

    test('placeholders take the ids after the vocabulary', () => {
      for (const [token, id] of Object.entries(added)) expect(learned!.placeholderIds(token)).toEqual([id]);
    });

    test('has 49,408 tokens', () => {
      expect([plain!.vocabSize, plain!.bosId, plain!.eosId]).toEqual([49408, 49406, 49407]);
    });
  },
);
