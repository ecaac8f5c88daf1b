/** Attention maps as picture files: each by itself, and all on one labelled sheet. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { LookResult, PromptAttention } from '../../src/engine/events';
import { heatColour, heatMap } from '../../src/util/heat-map';
import type { Pixels } from '../../src/util/pixels';
import { encodeImage, writeImage } from '../images';

/** Lengths on the sheet, px. */
const TILE = 128;
const GAP = 6;
const MARGIN = 20;
const LABELS = 104;
const HEADING = 62;
const LEGEND = 44;

/**
 * Writes source/, target/, sheet.png and attention.json (words, and what black and white of each map stand for).
 *
 * @param square  the photo's square that was looked at
 */
export async function writeAttention(
  folder: string,
  { source, target }: LookResult,
  square: Pixels,
): Promise<void> {
  const prompts = { source, ...(target && { target }) };
  for (const [name, prompt] of Object.entries(prompts)) {
    for (const [i, { word, maps }] of prompt.words.entries()) {
      const place = join(folder, name, `${String(i + 1).padStart(2, '0')}-${fileName(word)}`);
      await mkdir(place, { recursive: true });
      for (const { part, size, map } of maps) {
        await writeImage(join(place, `${part}-${size}.png`), heatMap(square, map, size), 'png');
      }
    }
  }
  await writeFile(join(folder, 'sheet.png'), await drawSheet(Object.values(prompts), square));
  const numbers = (prompt: PromptAttention) => ({
    text: prompt.text,
    words: prompt.words.map(({ maps, ...word }) => ({
      ...word,
      maps: maps.map(({ map: _, ...facts }) => facts),
    })),
  });
  const facts = Object.fromEntries(Object.entries(prompts).map(([name, prompt]) => [name, numbers(prompt)]));
  await writeFile(join(folder, 'attention.json'), `${JSON.stringify(facts, null, 2)}\n`);
}

const fileName = (word: string): string => word.replace(/[^\p{L}\p{N}]+/gu, '') || 'sign';

const PARTS = { encoder: 'encoder', middle: 'middle', decoder: 'decoder', all: 'all layers' } as const;

/** A block for each prompt: its words in columns, parts and sizes in rows. */
async function drawSheet(prompts: readonly PromptAttention[], square: Pixels): Promise<Buffer> {
  const columns = Math.max(...prompts.map(({ words }) => words.length));
  const rows = Math.max(...prompts.flatMap(({ words }) => words.map(({ maps }) => maps.length)));
  const width = 2 * MARGIN + LABELS + columns * (TILE + GAP);
  const block = HEADING + rows * (TILE + GAP) + MARGIN;
  const height = MARGIN + prompts.length * block + LEGEND;
  const texts: string[] = [];
  const tiles: { readonly input: Buffer; readonly left: number; readonly top: number }[] = [];
  const write = (x: number, y: number, text: string, style = ''): void => {
    texts.push(`<text x="${x}" y="${y}" ${style}>${escaped(text)}</text>`);
  };
  for (const [n, { text, words }] of prompts.entries()) {
    const top = MARGIN + n * block;
    write(
      MARGIN,
      top + 16,
      `${n === 0 ? 'Photo shows' : 'Change to'}: ${text}`,
      'font-size="16" font-weight="bold"',
    );
    for (const [column, { word, maps }] of words.entries()) {
      const left = MARGIN + LABELS + column * (TILE + GAP);
      write(left + TILE / 2, top + HEADING - 9, word, 'text-anchor="middle" font-size="15"');
      for (const [row, { part, size, map }] of maps.entries()) {
        const y = top + HEADING + row * (TILE + GAP);
        if (column === 0) {
          write(MARGIN, y + TILE / 2 - 3, PARTS[part]);
          write(MARGIN, y + TILE / 2 + 15, `${size} × ${size}`, 'fill="#a8a8b0"');
        }
        tiles.push({ input: await tile(heatMap(square, map, size)), left, top: y });
      }
    }
  }
  const stops = Array.from(
    { length: 11 },
    (_, i) => `<stop offset="${10 * i}%" stop-color="rgb(${heatColour(i / 10).map(Math.round)})"/>`,
  );
  const y = height - LEGEND;
  write(MARGIN, y + 12, 'least attended place of a map');
  write(MARGIN + 430, y + 12, 'most attended; attention.json has the shares');
  const page = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
<defs><linearGradient id="heat">${stops.join('')}</linearGradient></defs>
<rect width="100%" height="100%" fill="#1e1e20"/>
<rect x="${MARGIN + 210}" y="${y}" width="208" height="16" fill="url(#heat)"/>
<g font-family="Inter, Helvetica, Arial, DejaVu Sans, sans-serif" font-size="13" fill="#f0f0f2">${texts.join('')}</g></svg>`;
  return sharp(Buffer.from(page)).composite(tiles).png().toBuffer();
}

const tile = async (pixels: Pixels): Promise<Buffer> =>
  sharp(await encodeImage(pixels, 'png'))
    .resize(TILE, TILE)
    .png()
    .toBuffer();

const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]!);
