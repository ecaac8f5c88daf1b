import type { Recipe } from '../document/document';
import { type ExportType, pngMetadata, withLabel } from '../formats/metadata';
import { encodePng } from '../formats/png';
import { fromTensor, toTensor } from '../formats/tensor';
import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';

export interface EncodeOptions {
  readonly format: ExportType;
  /** of JPEG and WebP, 1 … 100 */
  readonly quality: number;
  /** written into PNG; null: not */
  readonly recipe: Recipe | null;
}

/** A file to save: PNG is exact, JPEG and WebP are made by the browser; all carry the AI label. @throws AppError TOO_BIG */
export async function encodeImage(pixels: Pixels, { format, quality, recipe }: EncodeOptions): Promise<Blob> {
  if (format === 'png') return encodePng(pixels, pngMetadata(recipe));
  const { width, height } = pixels;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  const tooBig = new AppError(
    'TOO_BIG',
    `this browser cannot write ${width} × ${height} px as ${format.toUpperCase()}; PNG works`,
  );
  if (!context) throw tooBig;
  // JPEG has no transparency: white shows, as in the browser's page.
  const { data } = format === 'jpeg' ? fromTensor(toTensor(pixels)) : pixels;
  context.putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
  const type = `image/${format}`;
  const blob = await canvas.convertToBlob({ type, quality: quality / 100 }).catch(() => null);
  // A browser that cannot write a format writes PNG instead.
  if (blob?.type !== type) throw tooBig;
  return new Blob(withLabel(new Uint8Array(await blob.arrayBuffer()), format), { type });
}
