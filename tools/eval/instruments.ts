import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors } from '../../src/formats/safetensors';
import { openTorch } from '../../src/formats/torch-file';
import { createLpips, type Lpips } from '../../src/metrics/lpips';
import type { LpipsNetName } from '../../src/metrics/lpips-nets';
import type { WeightSource } from '../../src/runtime/weights';
import { AppError } from '../../src/util/errors';
import { diskTree } from '../disk-tree';
import type { EvalData } from './data';
import { openJudge } from './judge';
import type { Lab } from './lab';
import type { Instruments } from './measure';
import { classRecogniser, clipSpace, openTower } from './recognise';

/** Everything that measures, from what the user supplied. @throws AppError BAD_REQUEST, MISSING_WEIGHT, BAD_FILE */
export async function openInstruments(
  lab: Lab,
  data: EvalData,
  supplied: {
    readonly lpips: ReadonlyMap<LpipsNetName, string>;
    readonly towers: ReadonlyMap<string, string>;
  },
): Promise<Instruments> {
  const space = clipSpace(data, lab.encoder);
  const towers = new Map<string, Instruments['space']>();
  for (const [name, folder] of supplied.towers) {
    towers.set(`CLIP-I ${name}`, clipSpace(data, await openTower(folder, lab.backend)));
  }
  const lpips = new Map<string, Lpips>();
  for (const [net, folder] of supplied.lpips) {
    lpips.set(`LPIPS ${net}`, createLpips(net, lab.backend, await weightFiles(folder)));
  }
  return { space, towers, lpips, recogniser: classRecogniser(await openJudge(lab.backend)) };
}

/** Every weights file of a folder: backbone and heads may come in one or two. */
async function weightFiles(folder: string): Promise<WeightSource[]> {
  const names = (await readdir(folder)).filter((name) => /\.(safetensors|pth?|bin)$/.test(name));
  if (names.length === 0) throw new AppError('BAD_REQUEST', `${folder} holds no .safetensors, .pt or .pth`);
  return Promise.all(
    names.map(async (name) => {
      const bytes = await diskTree(folder).open(name);
      if (!bytes) throw new AppError('BAD_REQUEST', `cannot read ${join(folder, name)}`);
      const file = await (name.endsWith('.safetensors') ? openSafetensors(bytes) : openTorch(bytes));
      const shapes = new Map([...file.tensors].map(([key, { shape }]) => [key, shape]));
      return { shapes, load: file.readFloat32 };
    }),
  );
}
