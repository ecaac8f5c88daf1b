import type { Point, Size } from './view';

/** Longest side of the working mask, px: finer than any model sees, small enough to encode between two strokes. */
const maxSide = 1024;
/** Photoshop's quick-mask habit; shown half transparent. */
const tint = '#ff4d6d';

/**
 * The painted mask of one photo while it is worked on: a canvas whose alpha is the mask (opaque = edit), in the colour
 * of its tint, so that it is drawn as it is. Points and radii are in photo px.
 */
export class MaskCanvas {
  readonly canvas: OffscreenCanvas;
  readonly #context: OffscreenCanvasRenderingContext2D;
  readonly #scale: number;

  constructor(photo: Size) {
    this.#scale = Math.min(1, maxSide / Math.max(photo.width, photo.height));
    this.canvas = new OffscreenCanvas(
      Math.max(1, Math.round(photo.width * this.#scale)),
      Math.max(1, Math.round(photo.height * this.#scale)),
    );
    this.#context = this.canvas.getContext('2d', { willReadFrequently: true })!;
  }

  /** A round stroke; from = to is a dab. */
  stroke(from: Point, to: Point, radius: number, erase: boolean): void {
    const context = this.#context;
    context.globalCompositeOperation = erase ? 'destination-out' : 'source-over';
    context.strokeStyle = tint;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.lineWidth = Math.max(1, 2 * radius * this.#scale);
    context.beginPath();
    context.moveTo(from.x * this.#scale, from.y * this.#scale);
    // a zero-length line with round caps is not drawn by every browser
    context.lineTo(to.x * this.#scale + (from === to ? 0.01 : 0), to.y * this.#scale);
    context.stroke();
  }

  clear(): void {
    this.#context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  invert(): void {
    this.#fill('xor', tint);
  }

  /** Take over a stored mask: brightness becomes alpha. */
  load(stored: ImageBitmap): void {
    const { width, height } = this.canvas;
    this.clear();
    this.#context.globalCompositeOperation = 'source-over';
    this.#context.drawImage(stored, 0, 0, width, height);
    const pixels = this.#context.getImageData(0, 0, width, height);
    for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i]!;
    this.#context.putImageData(pixels, 0, 0);
    this.#fill('source-in', tint);
  }

  isEmpty(): boolean {
    const { width, height } = this.canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    for (let i = 3; i < data.length; i += 4) if (data[i]! > 0) return false;
    return true;
  }

  /** White = edit on black, as masks are stored. */
  async toPng(): Promise<Blob> {
    const { width, height } = this.canvas;
    const copy = new OffscreenCanvas(width, height);
    const context = copy.getContext('2d')!;
    context.drawImage(this.canvas, 0, 0);
    context.globalCompositeOperation = 'source-in';
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = 'destination-over';
    context.fillStyle = '#000';
    context.fillRect(0, 0, width, height);
    return copy.convertToBlob({ type: 'image/png' });
  }

  #fill(operation: GlobalCompositeOperation, color: string): void {
    this.#context.globalCompositeOperation = operation;
    this.#context.fillStyle = color;
    this.#context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }
}
