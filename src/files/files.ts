import * as Comlink from 'comlink';
import type { BlobId, ImageRef, Recipe, Take } from '../document/document';
import { cutSquare, squareIn } from '../formats/crop';
import { fitMask } from '../formats/mask';
import { describeFile, type FileContents, readRecipe } from '../formats/metadata';
import { resize } from '../formats/resize';
import { stitch, stitchSquare } from '../formats/stitch';
import type { BlobStore } from '../storage/blobs';
import { collectGarbage } from '../storage/gc';
import { getImage, putImage } from '../storage/images';
import type { FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';
import { createConceptFiles } from './concept-files';
import { decodeImage, MAX_FILE } from './decode';
import { type EncodeOptions, encodeImage } from './encode';
import { createModelFiles } from './model-files';

export interface ImportedImage {
  readonly image: ImageRef;
  /** what the file says made it, when it is a PNG of ours */
  readonly recipe: Recipe | null;
}

export interface ExportOptions extends Omit<EncodeOptions, 'recipe'> {
  /** put the recipe into a PNG */
  readonly recipe: boolean;
}

/** A drop of more files than this is a mistake. */
const MAX_FILES = 200;

async function readFile(file: Blob, name: string): Promise<Uint8Array<ArrayBuffer>> {
  if (file.size > MAX_FILE) throw new AppError('TOO_BIG', `${name} has ${Math.round(file.size / 1e6)} MB`);
  return new Uint8Array(await file.arrayBuffer());
}

const largestSide = ({ width, height }: Pixels): number => Math.max(width, height);

async function toBitmap(pixels: Pixels, maxSide: number): Promise<ImageBitmap> {
  const scale = Math.min(1, maxSide / largestSide(pixels));
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  const image = new ImageData(new Uint8ClampedArray(pixels.data), pixels.width, pixels.height);
  return createImageBitmap(image, {
    resizeWidth: side(pixels.width),
    resizeHeight: side(pixels.height),
    resizeQuality: 'high',
  });
}

/** The API of the files worker: decoding, storing and encoding pictures. Pixels stay in storage, ids travel. */
export function createFiles(
  store: BlobStore,
  openModel: (id: string) => Promise<FileTree>,
  models: () => Promise<FileSystemDirectoryHandle>,
) {
  const load = (id: BlobId): ReturnType<typeof getImage> => getImage(store, id);

  /** Everything `stitch` asks for, of a take. A painted mask counts at its own resolution. */
  const stitching = async (take: Take) => {
    const { photo, square, mask } = take.recipe;
    const [photoPixels, edited, source, painted, used] = await Promise.all([
      load(photo.id),
      load(take.square.id),
      load(take.reconstruction.id),
      mask && load(mask),
      take.maskUsed && load(take.maskUsed.id),
    ]);
    const input = {
      edited,
      source,
      mask: painted ? cutSquare(painted, squareIn(square, photo, painted)) : used,
    };
    return [photoPixels, square, input] as const;
  };

  /** The same with a photo no larger than a square of `maxSide` px needs. */
  const smallStitching = async (take: Take, maxSide: number) => {
    const [photo, square, input] = await stitching(take);
    const scale = Math.min(1, maxSide / square.size);
    const side = (length: number): number => Math.max(1, Math.round(length * scale));
    const small = await resize(photo, side(photo.width), side(photo.height));
    return [small, squareIn(square, photo, small), input] as const;
  };
  /** of the take whose steps are looked at */
  let steps: { readonly key: string; readonly input: Awaited<ReturnType<typeof stitching>> } | null = null;

  return {
    ...createConceptFiles(store, openModel),
    ...createModelFiles(models),

    /**
     * Decodes and stores pictures, upright and without metadata. All or none: the first bad file fails the call.
     *
     * @throws AppError BAD_IMAGE, TOO_BIG, STORAGE_FULL, in words that name the file
     */
    async importImages(files: readonly File[]): Promise<ImportedImage[]> {
      if (files.length > MAX_FILES)
        throw new AppError('TOO_BIG', `${files.length} files at once are too many`);
      const imported: ImportedImage[] = [];
      for (const file of files) {
        const bytes = await readFile(file, file.name);
        const image = await putImage(store, await decodeImage(bytes, file.name), file.name);
        imported.push({ image, recipe: readRecipe(bytes) });
      }
      return imported;
    },

    /** Stores a mask as grey, white = edit. @param fit px; the size of the photo, when the mask may have another */
    async importMask(
      file: Blob,
      fit: { readonly width: number; readonly height: number } | null = null,
    ): Promise<ImageRef> {
      const name = file instanceof File ? file.name : 'mask';
      const pixels = await decodeImage(await readFile(file, name), name);
      return putImage(store, await fitMask(pixels, fit ?? pixels), name);
    },

    async readPixels(id: BlobId): Promise<Pixels> {
      const pixels = await load(id);
      return Comlink.transfer(pixels, [pixels.data.buffer]);
    },

    /** For drawing; no side longer than `maxSide` px. */
    async bitmap(id: BlobId, maxSide: number): Promise<ImageBitmap> {
      const bitmap = await toBitmap(await load(id), maxSide);
      return Comlink.transfer(bitmap, [bitmap]);
    },

    /** A small WebP file, no side longer than `maxSide` px. */
    async thumbnail(id: BlobId, maxSide: number): Promise<Blob> {
      const bitmap = await toBitmap(await load(id), maxSide);
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext('bitmaprenderer')!.transferFromImageBitmap(bitmap);
      return canvas.convertToBlob({ type: 'image/webp', quality: 0.8 });
    },

    /** The edited square of a take as it will be exported, for drawing; no side longer than `maxSide` px. */
    async stitchedSquare(take: Take, maxSide: number): Promise<ImageBitmap> {
      const bitmap = await toBitmap(await stitchSquare(...(await stitching(take))), maxSide);
      return Comlink.transfer(bitmap, [bitmap]);
    },

    /**
     * A step of a take as its picture would be if it were the last, for drawing.
     *
     * @param edited  the square after that step, at model resolution
     */
    async stitchedFrame(take: Take, edited: Pixels, maxSide: number): Promise<ImageBitmap> {
      const key = `${take.id} ${maxSide}`;
      if (steps?.key !== key) steps = { key, input: await smallStitching(take, maxSide) };
      const [photo, square, input] = steps.input;
      const bitmap = await toBitmap(await stitchSquare(photo, square, { ...input, edited }), maxSide);
      return Comlink.transfer(bitmap, [bitmap]);
    },

    /** Stores a picture that was made here. */
    storePixels: (pixels: Pixels, name: string): Promise<ImageRef> => putImage(store, pixels, name),

    /** The whole photo with a take's edit in it, at the photo's size. @throws AppError TOO_BIG */
    async exportImage(take: Take, { recipe, ...options }: ExportOptions): Promise<Blob> {
      const pixels = await stitch(...(await stitching(take)));
      return encodeImage(pixels, { ...options, recipe: recipe ? take.recipe : null });
    },

    /** What a finished file says about itself, read from its bytes. */
    async inside(file: Blob): Promise<FileContents> {
      return describeFile(new Uint8Array(await file.arrayBuffer()));
    },

    /** Deletes stored pictures that are not in `reachable`. Call it when a project is opened. */
    async collectGarbage(reachable: readonly BlobId[]): Promise<void> {
      await collectGarbage(store, new Set(reachable));
    },
  };
}

export type Files = ReturnType<typeof createFiles>;
