import { addTake } from '../document/actions';
import { branchAt } from '../document/branch';
import type { Document, Take } from '../document/document';
import { editBase } from '../document/likeness';
import type { DecodedFrame } from '../engine/events';
import { amend } from './document-store';
import { bitmapOf, methodOf, notReady, runEdit } from './edits';
import { reportError } from './errors';
import { announce, type Session, type ShownFrame, session, setSession } from './session-store';
import { engine, files } from './workers';

/** Longest side at which a step is drawn, px: quick enough to follow a slider. */
const maxSide = 768;

type Kind = ShownFrame['of'];

/** The step of a take that is on the canvas, 0-based, and whether as a picture or as its direction. */
export function frameOf({ frame }: Session, take: Take): { readonly index: number; readonly of: Kind } {
  return frame?.take === take.id ? frame : { index: take.steps - 1, of: 'picture' };
}

/** Put a step of a take on the canvas; the last one as a picture is the result itself. */
export function showFrame(take: Take, index: number, of: Kind): void {
  const step = Math.min(Math.max(index, 0), take.steps - 1);
  if (step === take.steps - 1 && of === 'picture') {
    setSession({ frame: null });
    return;
  }
  const { frame } = session();
  // what is drawn stays until the next is there
  const drawn = frame?.take === take.id && frame.of === of ? frame.drawn : null;
  setSession({ frame: { take: take.id, index: step, of, drawn } });
  wanted = take;
  void draw();
}

/** the take that a step was asked of last */
let wanted: Take | null = null;
let drawing = false;

/** Draws the step that is asked for, one at a time: what was asked for meanwhile and no longer is, is left out. */
async function draw(): Promise<void> {
  if (drawing) return;
  drawing = true;
  try {
    for (;;) {
      const { frame } = session();
      const take = wanted;
      if (!take || frame?.take !== take.id || frame.drawn?.index === frame.index) break;
      const { pixels, gain } = await decode(take, frame.index, frame.of);
      const picture = await (frame.of === 'picture'
        ? files.api.stitchedFrame(take, pixels, maxSide)
        : bitmapOf(pixels));
      const { frame: now } = session();
      if (now?.take !== take.id || now.of !== frame.of) {
        picture.close();
        continue;
      }
      setSession({ frame: { ...now, drawn: { index: frame.index, picture, gain } } });
      now.drawn?.picture.close();
    }
  } catch (error) {
    setSession({ frame: null });
    reportError(error);
  } finally {
    drawing = false;
  }
}

function decode({ recipe, frames }: Take, frame: number, of: Kind): Promise<DecodedFrame> {
  if (!frames) return Promise.reject(new Error('the steps of this take were not kept'));
  return engine.api.decodeFrame({ model: recipe.model, frames, frame, of });
}

/** The step as a take of its own. */
export async function keepFrame(take: Take, index: number): Promise<void> {
  try {
    const { pixels } = await decode(take, index, 'picture');
    const square = await files.api.storePixels(pixels, `step ${index + 1}`);
    const kept = { ...take, id: crypto.randomUUID(), square, steps: index + 1, stopped: false };
    amend((doc) => addTake(doc, kept));
    announce(`Step ${index + 1} is a take of its own now.`);
  } catch (error) {
    reportError(error);
  }
}

/** Why an edit cannot go on from a step of this take, in words; null when it can. */
export function cannotBranch(doc: Document, now: Session, take: Take, index: number): string | null {
  const method = methodOf(doc, now);
  const branch = branchAt(doc, take, index);
  if (!method || !branch) return 'Goes on only on the photo that is open.';
  if (!method.branches) return `“${method.label}” starts from the photo only.`;
  const steps = Number(doc.options.steps ?? editBase(doc, method).steps);
  return index + 1 < steps ? notReady(branch, now) : `All ${steps} steps are done here.`;
}

/** Run on from a step with the settings at hand. */
export const branchHere = (take: Take, index: number): Promise<void> =>
  runEdit((doc) => branchAt(doc, take, index) ?? doc);
