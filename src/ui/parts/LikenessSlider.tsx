import { Slider, SliderThumb, SliderTrack } from 'react-aria-components/Slider';
import { conceptInUse } from '../../document/concepts';
import { setLikeness } from '../../document/likeness';
import { begin, documentStore, end, update } from '../../state/document-store';
import { useDocument } from '../../state/use-store';

/** One drag, or one press of a key, is one undo step. */
function slide(value: number): void {
  if (!documentStore.getState().mark) begin('Set likeness');
  update((doc) => setLikeness(doc, value));
}

/** Keep photo ↔ Likeness. */
export function LikenessSlider() {
  const likeness = useDocument((doc) => doc.likeness);
  const name = useDocument((doc) => conceptInUse(doc)?.name || 'the concept');
  return (
    <Slider
      className="likeness"
      aria-label="Likeness"
      value={likeness}
      minValue={0}
      maxValue={100}
      step={5}
      onChange={slide}
      onChangeEnd={end}
    >
      <SliderTrack className="likeness-track">
        <SliderThumb className="likeness-thumb" aria-describedby="likeness-help" />
      </SliderTrack>
      <div className="likeness-ends" aria-hidden>
        <span>Keep photo</span>
        <span>More like {name}</span>
      </div>
      <p id="likeness-help" className="help">
        Right: looks more like {name}. Left: pose and surroundings stay closer to the photo.
      </p>
    </Slider>
  );
}
