import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Files, tinyFiles } from '../src/engine/tiny-tree';
import { TINY_CONFIGS } from '../src/training/tiny-model';

const starter = new URL('../public/models/starter/', import.meta.url);
const read = async (path: string): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await readFile(new URL(path, starter)));
const json = async (path: string): Promise<Record<string, number>> =>
  JSON.parse(new TextDecoder().decode(await read(path)));

/** One stage and one layer of each: what a graphics card played by the processor needs most time for is each new shape. */
const configs = {
  ...TINY_CONFIGS,
  UNet2DConditionModel: {
    ...TINY_CONFIGS.UNet2DConditionModel,
    block_out_channels: [16],
    down_block_types: ['CrossAttnDownBlock2D'],
    up_block_types: ['CrossAttnUpBlock2D'],
    mid_block_type: null,
  },
};

/**
 * A checkpoint in the diffusers layout with random weights, 16 × 16 px, and the starter's tokenizer, so that prompts
 * are words to it.
 */
export async function tinyModelFiles(): Promise<Files> {
  const { vocab_size, max_position_embeddings } = await json('text_encoder/config.json');
  const text = { ...TINY_CONFIGS.CLIPTextModel, num_hidden_layers: 1 };
  const files = tinyFiles(
    { name: 'Tiny test model' },
    { ...configs, CLIPTextModel: { ...text, vocab_size, max_position_embeddings } },
  );
  const tokenizer = ['merges.txt', 'tokenizer_config.json', 'special_tokens_map.json'].map(
    async (name) => [`tokenizer/${name}`, await read(`tokenizer/${name}`)] as const,
  );
  return { ...files, ...Object.fromEntries(await Promise.all(tokenizer)) };
}

/** The same as a folder on the disk. @returns its path */
export async function modelFolder(files: Files, name = 'tiny-model'): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), 'studio-')), name);
  for (const [path, bytes] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
  return folder;
}
