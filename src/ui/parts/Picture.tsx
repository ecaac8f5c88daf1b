import { useEffect, useRef } from 'react';
import type { BlobId, Square } from '../../document/document';
import { reportError } from '../../state/errors';
import { picture } from '../../state/pictures';

interface Props {
  readonly id: BlobId;
  readonly maxSide?: number;
  readonly label?: string;
  /** only this square of a picture of that width */
  readonly crop?: { readonly square: Square; readonly width: number };
}

/** A stored picture, small. Decorative unless it has a label. */
export function Picture({ id, maxSide = 192, label, crop }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { x = 0, y = 0, size = 0 } = crop?.square ?? {};
  const width = crop?.width;
  useEffect(() => {
    let current = true;
    picture(id, maxSide)
      .then((bitmap) => {
        const target = canvas.current;
        if (!current || !target) return;
        const scale = width ? bitmap.width / width : 1;
        const [w, h] = width ? [size * scale, size * scale] : [bitmap.width, bitmap.height];
        target.width = Math.round(w);
        target.height = Math.round(h);
        const context = target.getContext('2d');
        context?.drawImage(bitmap, x * scale, y * scale, w, h, 0, 0, target.width, target.height);
      })
      .catch(reportError);
    return () => {
      current = false;
    };
  }, [id, maxSide, x, y, size, width]);
  return (
    <canvas
      ref={canvas}
      className="picture"
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}
    />
  );
}
