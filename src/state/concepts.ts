import { chooseConcept, putConcept } from '../document/actions';
import {
  addPictures,
  changeConcept,
  conceptOf,
  importedConcept,
  maxPictures,
  newConcept,
} from '../document/concept-edits';
import type { Concept, ConceptPicture, Document, ImageRef } from '../document/document';
import { AppError } from '../util/errors';
import { busy } from './busy';
import { commit, currentDocument } from './document-store';
import { reportError } from './errors';
import { download } from './exports';
import { announce, closeLearned, notify, type Session, session, setSession } from './session-store';
import { files } from './workers';

/** Endings of concept files; what is in them decides. */
export const conceptEndings = ['.safetensors', '.pt', '.bin', '.zip'] as const;
export const isConceptFile = ({ name }: File): boolean =>
  conceptEndings.some((ending) => name.toLowerCase().endsWith(ending));

/** A new card, to be filled. */
export const startConcept = (pictures: readonly ConceptPicture[] = [], start: Partial<Concept> = {}): void =>
  place('New concept', newConcept(crypto.randomUUID(), currentDocument().model, { ...start, pictures }));

function place(label: string, concept: Concept): void {
  commit(label, (doc) => putConcept(doc, concept));
  setSession({ openConcept: concept.id });
}

/** Edits put it in from now on; null: words alone. */
export function pickConcept(id: string | null): void {
  commit('Choose concept', (doc) => chooseConcept(doc, id));
  if (id === session().learning?.concept) closeLearned();
}

/** Stored, with the square that most likely holds the subject. Files that cannot be opened are left out, and named. */
export async function importPictures(list: readonly File[]): Promise<ConceptPicture[]> {
  const pictures: ConceptPicture[] = [];
  const leftOut: string[] = [];
  for (const file of list) {
    try {
      for (const { image } of await files.api.importImages([file])) pictures.push(await squared(image));
    } catch (error) {
      const isBad = error instanceof AppError && (error.code === 'BAD_IMAGE' || error.code === 'TOO_BIG');
      if (!isBad || list.length === 1) throw error;
      leftOut.push(file.name);
    }
  }
  if (leftOut.length > 0) {
    const what =
      leftOut.length === 1 ? 'was left out: it is no picture' : 'were left out: they are no pictures';
    notify(null, `${leftOut.join(', ')} ${what} that can be opened here.`);
  }
  return pictures;
}

const squared = async (image: ImageRef): Promise<ConceptPicture> => ({
  image,
  square: await files.api.suggestSquare(image.id),
});

const tooMany = `A concept has up to ${maxPictures} pictures; three to five that differ work best. The rest was left out.`;

export const newConceptFrom = (list: readonly File[]): Promise<void> =>
  busy('Reading pictures…', async () => {
    if (list.length > maxPictures) notify(null, tooMany);
    const pictures = await importPictures(list.slice(0, maxPictures));
    if (pictures.length === 0) return;
    startConcept(pictures);
    announce(`New concept with ${pictures.length} ${pictures.length === 1 ? 'picture' : 'pictures'}.`);
  });

/** @param id  of the concept that gets them */
export const addFiles = (id: string, list: readonly File[]): Promise<void> =>
  busy('Reading pictures…', async () => fill(id, await importPictures(list.slice(0, maxPictures))));

/** The concept that a picture is added to: the open one, else the newest; null: a new one. */
export const receivingConcept = (doc: Document, { openConcept }: Session): Concept | null =>
  conceptOf(doc, openConcept) ?? doc.concepts.at(-1) ?? null;

/** A picture that is stored already. */
export async function addToConcept(image: ImageRef): Promise<void> {
  const concept = receivingConcept(currentDocument(), session());
  const picture = await squared(image).catch(reportError);
  if (!picture) return;
  if (!concept) return startConcept([picture]);
  fill(concept.id, [picture]);
}

function fill(id: string, pictures: readonly ConceptPicture[]): void {
  if (pictures.length === 0) return;
  const count = (): number => conceptOf(currentDocument(), id)?.pictures.length ?? 0;
  const had = count();
  commit('Add pictures', (doc) => changeConcept(doc, id, (concept) => addPictures(concept, pictures)));
  setSession({ openConcept: id });
  if (had + pictures.length > maxPictures) notify(null, tooMany);
  const added = count() - had;
  if (added === 0) announce('It has those pictures already.');
  else announce(added === 1 ? 'Picture added.' : `${added} pictures added.`);
}

/** Each file becomes a concept; one for another base is refused, with the reason. */
export const importConcepts = (list: readonly File[]): Promise<void> =>
  busy('Reading concept…', async () => {
    for (const file of list) {
      const { learned, match, warnings } = await files.api.importConcept(file, currentDocument().model);
      place('Import concept', importedConcept(crypto.randomUUID(), learned));
      const told = `${learned.name}: ${match.matched} of ${match.total} keys matched.`;
      notify(null, [told, ...warnings].join(' '));
      announce(told);
    }
  });

/** Save what was learned as a file that other programs read too, or a zip of what each of them reads. */
export async function exportConcept({ name, learned }: Concept): Promise<void> {
  if (!learned) return;
  const safe = name.replace(/[^\p{L}\p{N}_-]+/gu, '-').replace(/^-+|-+$/g, '') || 'concept';
  await busy('Writing the concept…', async () => {
    const file = await files.api.exportConcept(learned, safe.toLowerCase());
    download(file, file.name);
    announce(`${file.name} is saved.`);
  });
}
