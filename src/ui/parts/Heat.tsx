import { useEffect, useRef } from 'react';
import type { Recipe } from '../../document/document';
import { reportError } from '../../state/errors';
import { photoSquare } from '../../state/pictures';
import { heatColour, heatMap } from '../../util/heat-map';

/** Side of the picture, px. */
const side = 448;

interface Props {
  readonly recipe: Pick<Recipe, 'photo' | 'square'>;
  readonly map: { readonly map: Float32Array; readonly size: number };
  readonly label: string;
}

/** A map as heat over the photo's square. */
export function Heat({ recipe: { photo, square }, map: { map, size }, label }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let current = true;
    photoSquare(photo, square, side)
      .then((pixels) => {
        const { data } = heatMap(pixels, map, size);
        if (current) canvas.current?.getContext('2d')?.putImageData(new ImageData(data, side, side), 0, 0);
      })
      .catch(reportError);
    return () => {
      current = false;
    };
  }, [photo, square, map, size]);
  return <canvas ref={canvas} className="heat" width={side} height={side} role="img" aria-label={label} />;
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** What the colours stand for: shares of a place's attention, in [0,1]. */
export function HeatLegend({ min, max }: { min: number; max: number }) {
  const stops = Array.from({ length: 11 }, (_, i) => `rgb(${heatColour(i / 10).map(Math.round)})`);
  return (
    <div className="heat-legend">
      <span className="heat-ramp" aria-hidden style={{ background: `linear-gradient(90deg, ${stops})` }} />
      <span>{percent(min)}</span>
      <span className="help">of a place’s attention</span>
      <span>{percent(max)}</span>
    </div>
  );
}
