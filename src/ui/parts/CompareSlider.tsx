import { ChevronsLeftRight } from 'lucide-react';
import { Slider, SliderThumb, SliderTrack } from 'react-aria-components/Slider';
import { shownTake } from '../../document/actions';
import { liveJob, type ShownFrame, setSession } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';

/** Narrower than this, px on the screen, labels would lie on what they name. */
const roomForLabels = 140;

/**
 * The handle of the before/after divider, over the edited square; the canvas draws the line and the pictures. Left of
 * it is the photo, right of it the take.
 */
export function CompareSlider() {
  const take = useDocument(shownTake);
  const square = take?.recipe.square;
  const after = useSession((now) => (now.frame?.take === take?.id ? afterFrame(now.frame) : 'After'));
  const { scale, x, y } = useSession((now) => now.view);
  const divider = useSession((now) => now.divider);
  const shown = useSession(
    (now) =>
      now.comparing && !liveJob(now) && !now.holdOriginal && now.tool !== 'brush' && now.tool !== 'eraser',
  );
  const placing = useSession((now) => now.tool === 'square');
  if (!square || !shown) return null;
  const percent = Math.round(divider * 100);
  const labelled = square.size * scale >= roomForLabels;
  return (
    <Slider
      className="compare"
      style={{
        left: square.x * scale + x,
        top: square.y * scale + y,
        width: square.size * scale,
        height: square.size * scale,
      }}
      aria-label="Compare before and after"
      value={percent}
      minValue={0}
      maxValue={100}
      step={1}
      formatOptions={{ style: 'unit', unit: 'percent' }}
      onChange={(value) => setSession({ divider: value / 100 })}
      data-quiet={placing || undefined}
    >
      <SliderTrack className="compare-track">
        <SliderThumb className="compare-thumb">
          <ChevronsLeftRight aria-hidden size={18} />
        </SliderThumb>
      </SliderTrack>
      {labelled && percent > 12 && <span className="compare-label before">Before</span>}
      {labelled && percent < 88 && <span className="compare-label after">{after}</span>}
    </Slider>
  );
}

const afterFrame = (frame: ShownFrame | null): string =>
  frame ? `${frame.of === 'direction' ? 'Direction of frame' : 'Frame'} ${frame.index + 1}` : 'After';
