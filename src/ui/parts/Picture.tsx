import { useEffect, useRef } from 'react';
import type { BlobId } from '../../document/document';
import { reportError } from '../../state/errors';
import { picture } from '../../state/pictures';

/** A stored picture, small. Decorative unless it has a label. */
export function Picture({ id, maxSide = 192, label }: { id: BlobId; maxSide?: number; label?: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let current = true;
    picture(id, maxSide)
      .then((bitmap) => {
        const target = canvas.current;
        if (!current || !target) return;
        target.width = bitmap.width;
        target.height = bitmap.height;
        target.getContext('2d')?.drawImage(bitmap, 0, 0);
      })
      .catch(reportError);
    return () => {
      current = false;
    };
  }, [id, maxSide]);
  return (
    <canvas
      ref={canvas}
      className="picture"
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}
    />
  );
}
