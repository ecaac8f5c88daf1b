import type { BlobId, LearnedConcept, Square } from '../document/document';
import { readConcept } from '../formats/concept';
import type { KeyMatch, Network } from '../formats/concept-base';
import { writeConcept } from '../formats/concept-export';
import { learnedFrom } from '../formats/concept-learned';
import { aboutOf } from '../formats/concept-metadata';
import { unwrapped, zipConcept } from '../formats/concept-zip';
import { openWeights, readConceptBase } from '../formats/model-folder';
import { checkPicture, type PictureCheck, suggestSquare } from '../formats/picture-checks';
import type { BlobStore } from '../storage/blobs';
import { getImage } from '../storage/images';
import { memoizePromise } from '../util/async';
import { bytesSource, type FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';
import { MAX_FILE } from './decode';

/** of a model's networks in the diffusers layout */
const FOLDERS = { unet: 'unet', textEncoder: 'text_encoder' } as const satisfies Record<Network, string>;

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
     * Reads a concept file of any layout, or a zip that `exportConcept` wrote, against the model it is to be used with,
     * and stores it as it is.
     *
     * @throws AppError UNSUPPORTED_MODEL when it was made for another base, with the reason; BAD_FILE; TOO_BIG; STORAGE_FULL
     */
    async importConcept(file: File, model: string): Promise<ImportedConcept> {
      if (file.size > MAX_FILE)
        throw new AppError('TOO_BIG', `${file.name} has ${Math.round(file.size / 1e6)} MB`);
      const given = { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
      const { name, bytes } = unwrapped(given, MAX_FILE);
      const base = await readConceptBase(await openModel(model));
      const read = await readConcept(bytesSource(name, bytes), base);
      const id = await store.put(bytes);
      const stem = file.name.replace(/\.[^.]+$/, '');
      return { learned: learnedFrom(read, id, stem, base), match: read.match, warnings: read.warnings };
    },

    /**
     * A learned concept as other programs read it: its stored file where that is one, else a zip of what each of them
     * reads. What another program wrote goes out as it came in.
     *
     * @param stem  of the file's name
     * @throws AppError BAD_FILE
     */
    async exportConcept({ id, model, subject }: LearnedConcept, stem: string): Promise<File> {
      const stored = await store.file(id);
      const asStored = new File([stored], `${stem}.safetensors`);
      const tree = await openModel(model);
      const base = await readConceptBase(tree);
      const source = bytesSource(asStored.name, new Uint8Array(await stored.arrayBuffer()));
      const { concept, metadata } = await readConcept(source, base);
      const about = aboutOf(metadata);
      const changes = [...concept.unet, ...concept.textEncoder];
      if (!about || !changes.some(({ kind }) => kind === 'replace')) return asStored;
      const opened = memoizePromise((network: Network) => openWeights(tree, FOLDERS[network]));
      const exported = await writeConcept(concept, { base, about }, stem, {
        readBase: async (network, weight) => (await opened(network)).readFloat32(weight),
        readConfig: async (network) => {
          const path = `${FOLDERS[network]}/config.json`;
          const config = await tree.open(path);
          if (!config) throw new AppError('BAD_FILE', `${tree.name} has no ${path}`);
          return config.read(0, config.size);
        },
      });
      return new File([zipConcept(exported, about.title, subject)], `${stem}.zip`);
    },

    /** Where the subject of a stored picture is. */
    suggestSquare: async (id: BlobId): Promise<Square> => suggestSquare(await getImage(store, id)),

    checkPicture: async (id: BlobId, square: Square): Promise<PictureCheck> =>
      checkPicture(await getImage(store, id), square),
  };
}
