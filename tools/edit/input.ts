import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { emptyDocument } from '../../src/document/document';
import { fitMask } from '../../src/formats/mask';
import { AppError } from '../../src/util/errors';
import { readImage, readPictures } from '../images';
import type { EditArguments } from './arguments';
import type { EditInput } from './run';

/** What demo.json of the folder public/demo says of an edit. */
export interface Demo {
  readonly photo: string;
  readonly square: NonNullable<EditInput['edit']['square']>;
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
  readonly seed: number;
}

const DEMO = join(import.meta.dirname, '../../public/demo');

/** Reads the files that the arguments name. @throws AppError BAD_REQUEST, BAD_IMAGE, TOO_BIG: one line that names the file */
export async function readInput(args: EditArguments): Promise<EditInput> {
  const demo: Demo | null =
    args.source === null ? JSON.parse(await readFile(join(DEMO, 'demo.json'), 'utf8')) : null;
  const painted = args.mask === null ? null : await readImage(args.mask);
  const path = args.source ?? join(DEMO, demo!.photo);
  const photo = await readImage(path);
  return {
    photo,
    photoName: basename(path),
    mask: painted && (await fitMask(painted, photo)),
    model: args.model === null ? 'starter' : basename(resolve(args.model)),
    concept: args.concept === null ? null : await readNamed('the concept', args.concept),
    fit: args.fit && {
      options: args.fit.options,
      file: await readFitFile(args.fit.file),
      references: args.fit.refs === null ? [] : await readPictures(args.fit.refs),
    },
    attention: args.attention,
    directions: args.directions,
    edit: demo ? withDemo(args.edit, demo) : { ...args.edit, seed: args.edit.seed ?? emptyDocument.seed },
  };
}

/** The demo's own where the arguments say nothing. */
export const withDemo = (edit: EditArguments['edit'], demo: Demo): EditInput['edit'] => ({
  ...edit,
  sourcePrompt: edit.sourcePrompt || demo.sourcePrompt,
  targetPrompt: edit.targetPrompt || demo.targetPrompt,
  square: edit.square ?? demo.square,
  seed: edit.seed ?? demo.seed,
});

const readNamed = async (what: string, path: string): Promise<NonNullable<EditInput['concept']>> => ({
  name: basename(path),
  bytes: await readFile(path).then(
    (bytes) => new Uint8Array(bytes),
    (error: NodeJS.ErrnoException) => {
      throw new AppError('BAD_REQUEST', `cannot read ${what} ${path}: ${error.code}`);
    },
  ),
});

/** null when there is none yet */
const readFitFile = async (path: string | null): Promise<(EditInput['concept'] & {}) | null> =>
  path !== null && existsSync(path) ? readNamed('the fit', path) : null;
