import { type FileTree, fileSource } from '../util/byte-source';
import { AppError } from '../util/errors';

export interface PickedFile {
  /** below the folder, with '/' */
  readonly path: string;
  readonly file: Blob;
}

/** A model's folder that a person chose or dropped. Its files are references, which go to a worker without a copy. */
export interface PickedFolder {
  readonly name: string;
  readonly files: readonly PickedFile[];
}

/** More than any model has; a whole drive chosen by mistake is not searched to its end. */
export const MAX_ENTRIES = 2000;

/** What every model in the diffusers layout has. */
const ANCHOR = 'unet/config.json';

/**
 * The model in what was chosen: the folder itself, or the one folder in it that holds a model.
 *
 * @param files  as the browser lists them, paths below `name`; hidden ones, and those that would lead out of the folder,
 *               are left out
 * @throws AppError TOO_BIG for more files than a model has; BAD_FILE when it holds several models
 */
export function pickedFolder(name: string, files: readonly PickedFile[]): PickedFolder {
  const inside = files.filter(({ path }) => path.split('/').every(isName));
  if (inside.length > MAX_ENTRIES) throw tooMany(name);
  const roots = inside.flatMap(({ path }) =>
    path === ANCHOR || path.endsWith(`/${ANCHOR}`) ? [path.slice(0, -ANCHOR.length)] : [],
  );
  const root = roots.includes('') ? '' : (roots[0] ?? '');
  if (root !== '' && roots.length > 1) {
    const names = roots.map((it) => it.slice(0, -1)).sort();
    throw new AppError('BAD_FILE', `${name} holds ${roots.length} models (${names.join(', ')}): choose one`);
  }
  return {
    name: root === '' ? name : root.split('/').at(-2)!,
    files: inside.flatMap(({ path, file }) =>
      path.startsWith(root) ? [{ path: path.slice(root.length), file }] : [],
    ),
  };
}

export const tooMany = (name: string): AppError =>
  new AppError('TOO_BIG', `${name} holds more than ${MAX_ENTRIES} files: choose the model’s own folder`);

/** Also not hidden: version control keeps thousands of files there. */
export const isName = (part: string): boolean => /^[^.\\:\0][^\\:\0]*$/.test(part);

/** The folder as whoever opens models takes it. */
export function pickedTree({ name, files }: PickedFolder): FileTree {
  const known = new Map(files.map(({ path, file }) => [path, file]));
  return {
    name,
    async open(path) {
      const file = known.get(path);
      return file ? fileSource(path, file) : null;
    },
  };
}
