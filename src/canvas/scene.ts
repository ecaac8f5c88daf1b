import { shownTake } from '../document/actions';
import type { BlobId, Document, Square, Take } from '../document/document';
import { liveJob, type Session } from '../state/session-store';
import type { Size } from './view';

/** What the canvas shows, derived from the stores; nothing here is state of its own. */
export interface Scene {
  readonly photo: (Size & { readonly id: BlobId }) | null;
  readonly take: Take | null;
  /** the photo on the canvas is the one that tools and Run work on */
  readonly editable: boolean;
  /** the square that is edited or fitted to has a live look on this photo */
  readonly live: { readonly preview: ImageBitmap; readonly square: Square } | null;
  /** the step of the take that is looked at in the place of its result; 'drawing': what is shown stays until it is there */
  readonly frame: ImageBitmap | 'drawing' | null;
  /** divider between before and after, photo px; null: not comparing */
  readonly divider: number | null;
  readonly showAfter: boolean;
}

/** A take is shown on the photo it was made from, which need not be the one at hand. */
export function sceneOf(doc: Document, session: Session): Scene {
  const job = liveJob(session);
  const take = job ? null : shownTake(doc);
  const photo = take?.recipe.photo ?? doc.photo;
  const live = job?.preview && job.photo === photo?.id ? { preview: job.preview, square: job.square } : null;
  const square = take?.recipe.square;
  // a mask is painted on what the photo shows, not on what it became
  const painting = session.tool === 'brush' || session.tool === 'eraser';
  return {
    photo,
    take,
    editable: photo !== null && photo.id === doc.photo?.id,
    live,
    frame: take && session.frame?.take === take.id ? (session.frame.drawn?.picture ?? 'drawing') : null,
    divider: square && session.comparing && !painting ? square.x + session.divider * square.size : null,
    showAfter: !session.holdOriginal && (live !== null || !painting),
  };
}

const sameSquare = (a: Square | null, b: Square | null): boolean =>
  a === b || (a !== null && b !== null && a.x === b.x && a.y === b.y && a.size === b.size);

/**
 * How loudly the edit square is drawn: with handles, as a hairline while a result of that square is judged or a mask is
 * painted in it, or not.
 */
export function squareLook(
  doc: Document,
  { editable, take }: Scene,
  session: Session,
): 'handles' | 'hairline' | 'none' {
  if (!editable || session.holdOriginal || !doc.square) return 'none';
  const { tool } = session;
  if (liveJob(session)) return 'hairline';
  if (tool === 'square') return 'handles';
  if (tool === 'move') return take && sameSquare(take.recipe.square, doc.square) ? 'hairline' : 'handles';
  return 'hairline';
}
