import { setMask } from '../document/actions';
import type { ImageRef } from '../document/document';
import { commit as commitEdit, currentDocument, inOrder } from '../state/document-store';
import { reportError } from '../state/errors';
import { importMask, picture } from '../state/pictures';
import { MaskCanvas } from './mask-canvas';
import type { Point, Size } from './view';

/**
 * Strokes live on a canvas until the pointer is released; then the mask is stored as a picture and its id committed,
 * so that undo holds ids and not pixels. `changed` runs after every change of pixels.
 */
export class MaskPainter {
  #mask: MaskCanvas | null = null;
  #photo: Size | null = null;
  /** id of the stored mask that the canvas shows; null: empty */
  #shown: string | null = null;
  #stroke: { last: Point; readonly radius: number; readonly erase: boolean } | null = null;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get canvas(): OffscreenCanvas | null {
    return this.#mask?.canvas ?? null;
  }

  /** Show the document's mask; pixels are loaded only when it is not the one at hand. */
  async show(photo: Size | null, mask: ImageRef | null): Promise<void> {
    if (photo !== this.#photo) {
      this.#photo = photo;
      this.#mask = photo && new MaskCanvas(photo);
      this.#shown = null;
    }
    const id = mask?.id ?? null;
    if (!this.#mask || id === this.#shown) return;
    this.#shown = id;
    if (!mask) this.#mask.clear();
    else {
      const stored = await picture(mask.id).catch(reportError);
      if (!stored || this.#shown !== id) return;
      this.#mask.load(stored);
    }
    this.#changed();
  }

  begin(point: Point, radius: number, erase: boolean): void {
    this.#stroke = { last: point, radius, erase };
    this.#mask?.stroke(point, point, radius, erase);
    this.#changed();
  }

  extend(point: Point): void {
    if (!this.#stroke) return;
    const { last, radius, erase } = this.#stroke;
    this.#mask?.stroke(last, point, radius, erase);
    this.#stroke.last = point;
    this.#changed();
  }

  /** One stroke, one undo step. */
  commit(): void {
    const label = this.#stroke?.erase ? 'Erase mask' : 'Paint mask';
    this.#stroke = null;
    this.#store(label);
  }

  /** Drop the stroke in flight. */
  revert(): void {
    this.#stroke = null;
    this.#shown = 'nothing';
    void this.show(this.#photo, currentDocument().mask);
  }

  invert(): void {
    this.#mask?.invert();
    this.#changed();
    this.#store('Invert mask');
  }

  /** Strokes are stored one after another, each with all before it; undo waits for its turn. */
  #store(label: string): void {
    const mask = this.#mask;
    if (!mask) return;
    const empty = mask.isEmpty();
    const png = empty ? null : mask.toPng();
    void inOrder(async () => {
      const ref = png && (await importMask(await png));
      if (mask !== this.#mask) return;
      this.#shown = ref?.id ?? null;
      commitEdit(label, (doc) => setMask(doc, ref));
    }).catch(reportError);
  }
}
