import type { ConceptPicture } from '../document/document';
import type { PictureCheck } from '../formats/picture-checks';
import { reportError } from './errors';
import { files } from './workers';

/** What was found, by picture and square; found again after a reload. */
const known = new Map<string, Promise<PictureCheck | null>>();

/** null when it could not be looked at, which is told */
export function checkOf({ image, square }: ConceptPicture): Promise<PictureCheck | null> {
  const key = `${image.id} ${square.x} ${square.y} ${square.size}`;
  const found =
    known.get(key) ??
    files.api.checkPicture(image.id, square).catch((error) => {
      known.delete(key);
      reportError(error);
      return null;
    });
  known.set(key, found);
  return found;
}
