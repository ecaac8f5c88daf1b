/** Side of the canvas a preview is enlarged to, and the width of its soft border there, px. */
const side = 512;
const border = 16;

/**
 * A live look of the square, enlarged smoothly and with a soft border like that of the finished picture. The returned
 * canvas is reused by the next call.
 */
export function previewCanvas(): (preview: ImageBitmap) => OffscreenCanvas {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext('2d')!;
  const soft = new OffscreenCanvas(side, side);
  const softContext = soft.getContext('2d')!;
  softContext.filter = `blur(${border / 2}px)`;
  softContext.fillRect(border, border, side - 2 * border, side - 2 * border);
  return (preview) => {
    context.globalCompositeOperation = 'copy';
    context.imageSmoothingQuality = 'high';
    context.drawImage(preview, 0, 0, side, side);
    context.globalCompositeOperation = 'destination-in';
    context.drawImage(soft, 0, 0);
    return canvas;
  };
}
