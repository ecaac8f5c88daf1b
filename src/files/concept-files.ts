import type { BlobId, LearnedConcept, Square } from '../document/document';
import { readConcept } from '../formats/concept';
import type { KeyMatch } from '../formats/concept-base';
import { learnedFrom } from '../formats/concept-learned';
import { readConceptBase } from '../formats/model-folder';
import { checkPicture, type PictureCheck, suggestSquare } from '../formats/picture-checks';
import type { BlobStore } from '../storage/blobs';
import { getImage } from '../storage/images';
import { bytesSource, type FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';
import { MAX_FILE } from './decode';

export interface ImportedConcept {
  readonly learned: LearnedConcept;
  readonly match: KeyMatch;
  /** sentences for the person who opened it; the file works nevertheless */
  readonly warnings: readonly string[];
}

/** The part of the files worker's API that is about concepts: their files, and the pictures they are learned from. */
export function createConceptFiles(store: BlobStore, openModel: (id: string) => Promise<FileTree>) {
  return {
    /**
     * Reads a concept file of any layout against the model it is to be used with, and stores it as it is.
     *
     * @throws AppError UNSUPPORTED_MODEL when it was made for another base, with the reason; BAD_FILE; TOO_BIG; STORAGE_FULL
     */
    async importConcept(file: File, model: string): Promise<ImportedConcept> {
      if (file.size > MAX_FILE)
        throw new AppError('TOO_BIG', `${file.name} has ${Math.round(file.size / 1e6)} MB`);
      const bytes = new Uint8Array(await file.arrayBuffer());
      const base = await readConceptBase(await openModel(model));
      const read = await readConcept(bytesSource(file.name, bytes), base);
      const id = await store.put(bytes);
      const stem = file.name.replace(/\.[^.]+$/, '');
      return { learned: learnedFrom(read, id, stem, base), match: read.match, warnings: read.warnings };
    },

    /** A stored concept file as other programs read it. @throws AppError BAD_FILE */
    exportConcept: (id: BlobId): Promise<Blob> => store.file(id),

    /** Where the subject of a stored picture is. */
    suggestSquare: async (id: BlobId): Promise<Square> => suggestSquare(await getImage(store, id)),

    checkPicture: async (id: BlobId, square: Square): Promise<PictureCheck> =>
      checkPicture(await getImage(store, id), square),
  };
}
