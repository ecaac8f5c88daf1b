import { GitBranch, Layers2 } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Label } from 'react-aria-components/Label';
import { Slider, SliderThumb, SliderTrack } from 'react-aria-components/Slider';
import { ToggleButton } from 'react-aria-components/ToggleButton';
import { Tooltip, TooltipTrigger } from 'react-aria-components/Tooltip';
import { shownTake } from '../../document/actions';
import { branchHere, cannotBranch, frameOf, keepFrame, showFrame } from '../../state/frames';
import { useDocument, useSession } from '../../state/use-store';

/** The steps of the shown take: look at any, keep it, go on from it. */
export function FrameBar() {
  const take = useDocument(shownTake);
  const index = useSession((now) => (take ? frameOf(now, take).index : 0));
  const of = useSession((now) => (take ? frameOf(now, take).of : 'picture'));
  const gain = useSession((now) => now.frame?.drawn?.gain ?? 1);
  const doc = useDocument((it) => it);
  const why = useSession((now) => (take ? cannotBranch(doc, now, take, index) : null));
  if (!take?.frames) return null;
  const isResult = index === take.steps - 1 && of === 'picture';
  return (
    <div className="frame-bar">
      <Slider
        className="frame"
        value={index + 1}
        minValue={1}
        maxValue={take.steps}
        isDisabled={take.steps === 1}
        onChange={(step) => showFrame(take, step - 1, of)}
      >
        <Label>Frame</Label>
        <SliderTrack className="slider-track">
          <SliderThumb className="slider-thumb" />
        </SliderTrack>
        <span>{`${index + 1} of ${take.steps}`}</span>
      </Slider>
      <TooltipTrigger delay={500}>
        <ToggleButton
          className="button quiet small"
          isSelected={of === 'direction'}
          onChange={(on) => showFrame(take, index, on ? 'direction' : 'picture')}
        >
          Direction
        </ToggleButton>
        <Tooltip className="tooltip" offset={6}>
          What this step changed. Even brown is no change
          {of === 'direction' && gain > 1 ? `; shown ${Math.round(gain)} × stronger` : ''}
        </Tooltip>
      </TooltipTrigger>
      <Button
        className="button quiet small"
        isDisabled={isResult}
        onPress={() => void keepFrame(take, index)}
      >
        <Layers2 aria-hidden size={14} /> Keep this frame
      </Button>
      <TooltipTrigger delay={500}>
        <Button
          className="button quiet small"
          isDisabled={why !== null}
          onPress={() => void branchHere(take, index)}
        >
          <GitBranch aria-hidden size={14} /> Branch here
        </Button>
        <Tooltip className="tooltip" offset={6}>
          Run on from this frame with the settings as they are now
        </Tooltip>
      </TooltipTrigger>
      {why && index + 1 < take.steps && <span className="help">{why}</span>}
    </div>
  );
}
