import { applyRecipe, putConcept, setPhoto, setPrompts, setSeed, setSquare } from '../document/actions';
import { newConcept } from '../document/concept-edits';
import { conceptInUse } from '../document/concepts';
import type { Concept, ImageRef, Recipe, Square, Take } from '../document/document';
import { AppError } from '../util/errors';
import { formatLog, recentLog } from '../util/log';
import { busy } from './busy';
import { importConcepts, importPictures, isConceptFile, newConceptFrom } from './concepts';
import { commit, currentDocument } from './document-store';
import { runEdit } from './edits';
import { engineStarted } from './engine';
import { reportError } from './errors';
import { needsFit } from './fit-plan';
import { picture } from './pictures';
import { announce, notify, session, setSession } from './session-store';
import { files } from './workers';

/**
 * What was dropped, pasted or chosen. Concept files and several pictures make concepts; one picture is the photo, or, where
 * there is one already or it carries our recipe, a question first.
 *
 * @param purpose  'photo': it was asked for as the photo
 */
export async function openFiles(list: readonly File[], purpose: 'any' | 'photo' = 'any'): Promise<void> {
  if (list.length === 0) return;
  const concepts = list.filter(isConceptFile);
  if (concepts.length > 0) return importConcepts(concepts);
  if (purpose === 'any' && list.length > 1) return newConceptFrom(list);
  const asks = purpose === 'any' && currentDocument().photo !== null;
  if (session().edit && !asks)
    return notify(null, 'An edit is running. Stop it before opening another photo.');
  await busy('Opening photo…', async () => {
    const [first] = await files.api.importImages(list.slice(0, 1));
    if (!first) throw new AppError('BAD_IMAGE', `${list[0]!.name} is not a picture`);
    const { image, recipe } = first;
    if (recipe) setSession({ dialog: { kind: 'recipe', image, recipe } });
    else if (asks) setSession({ dialog: { kind: 'picture', image } });
    else placePhoto(image);
  });
}

export function placePhoto(image: ImageRef): void {
  commit('Open photo', (doc) => setPhoto(doc, image));
  announce(`${image.name}, ${image.width} × ${image.height}.`);
}

/** The painted mask of a recipe, where this browser still has it. */
async function storedMask({ mask: id }: Recipe): Promise<ImageRef | null> {
  const pixels = id && (await picture(id).catch(() => null));
  return id && pixels ? { id, name: 'mask', width: pixels.width, height: pixels.height } : null;
}

/** @param image also becomes the photo */
export async function restoreSettings(recipe: Recipe, image: ImageRef | null = null): Promise<void> {
  const mask = await storedMask(recipe);
  commit(image ? 'Open photo with its settings' : 'Restore settings', (doc) =>
    applyRecipe(image ? setPhoto(doc, image) : doc, recipe, mask),
  );
  announce('Settings restored.');
  const { concept, fit } = recipe;
  if (!concept) return;
  if (!conceptInUse(currentDocument())) {
    notify(null, `${concept.name}, as it was learned then, is no longer here: words alone are used.`);
  } else if (fit && needsFit(currentDocument(), session())) {
    notify(null, `The fit of ${concept.name} is not stored here for this photo: Run makes it again.`);
  }
}

/** Settings of a take, and its photo where that is no longer the one at hand. */
export async function restoreTake({ recipe }: Take): Promise<void> {
  const { photo } = currentDocument();
  const other = photo?.id !== recipe.photo.id;
  await restoreSettings(recipe, other ? { ...recipe.photo, name: photo?.name ?? 'photo' } : null);
}

/** public/demo/demo.json */
export interface Demo {
  readonly photo: string;
  readonly square?: Square;
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
  readonly seed?: number;
}

export const demoAddress = (name: string): string => new URL(`demo/${name}`, document.baseURI).href;

async function fetchDemo(name: string): Promise<Response> {
  const response = await fetch(demoAddress(name));
  if (!response.ok) throw new AppError('NETWORK', `demo/${name}: ${response.status} ${response.statusText}`);
  return response;
}

export const readDemo = async (): Promise<Demo> => (await fetchDemo('demo.json')).json();

const demoFile = async (name: string): Promise<File> => {
  const blob = await (await fetchDemo(name)).blob();
  return new File([blob], name, { type: blob.type });
};

/** public/demo/concept.json */
interface DemoConcept {
  readonly name: string;
  readonly classWord: string;
  readonly pictures: readonly string[];
}

/** A figure that can be learned, with its pictures. */
async function demoConcept(): Promise<Concept> {
  const { pictures, ...words }: DemoConcept = await (await fetchDemo('concept.json')).json();
  const imported = await importPictures(await Promise.all(pictures.map(demoFile)));
  return newConcept(crypto.randomUUID(), currentDocument().model, { ...words, pictures: imported });
}

/** The bundled scene with its prompts, run with no further input, and a concept that is ready to be learned. */
export async function openDemo(): Promise<void> {
  await busy('Opening the demo…', async () => {
    const demo = await readDemo();
    const [[first], concept] = await Promise.all([
      files.api.importImages([await demoFile(demo.photo)]),
      demoConcept(),
    ]);
    if (!first) throw new AppError('BAD_IMAGE', `${demo.photo} is not a picture`);
    commit('Open the demo', (doc) => {
      const opened = setPrompts(setPhoto(doc, first.image), demo);
      const seeded = setSeed(opened, demo.seed ?? 0);
      const framed = demo.square ? setSquare(seeded, demo.square) : seeded;
      const known = doc.concepts.some((it) => it.pictures[0]?.image.id === concept.pictures[0]?.image.id);
      return known ? framed : putConcept(framed, concept);
    });
    setSession({ openConcept: currentDocument().concepts.at(-1)?.id ?? null });
  });
  // the engine may still be starting: then it runs as soon as it is ready
  await engineStarted();
  await runEdit();
}

/** What happened lately, for a bug report: no prompts, no file names, no pixels. */
export async function copyReport(): Promise<void> {
  const { info, engine } = session();
  const report = [`engine: ${engine}`, JSON.stringify(info?.capabilities, null, 2), formatLog(recentLog())];
  await navigator.clipboard
    .writeText(report.join('\n\n'))
    .then(() => announce('Report copied.'))
    .catch(reportError);
}
