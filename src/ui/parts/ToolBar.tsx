import { Brush, Eraser, Eye, Hand, MousePointer2, SquareDashed, SquareSplitHorizontal } from 'lucide-react';
import { Label } from 'react-aria-components/Label';
import { Slider, SliderOutput, SliderThumb, SliderTrack } from 'react-aria-components/Slider';
import { Toolbar } from 'react-aria-components/Toolbar';
import { setSession, type Tool } from '../../state/session-store';
import { setSettings } from '../../state/settings-store';
import { useDocument, useSession, useSettings } from '../../state/use-store';
import { ActionButton } from './ActionButton';
import { IconButton } from './IconButton';

const tools = [
  ['move', MousePointer2],
  ['square', SquareDashed],
  ['brush', Brush],
  ['eraser', Eraser],
  ['hand', Hand],
] as const satisfies readonly (readonly [Tool, unknown])[];

export function ToolBar() {
  const tool = useSession((now) => now.tool);
  const comparing = useSession((now) => now.comparing);
  const hasTake = useDocument((doc) => doc.shown !== null);
  const painting = tool === 'brush' || tool === 'eraser';
  return (
    <div className="floating top">
      <Toolbar className="bar" aria-label="Tools">
        {tools.map(([id, icon]) => (
          <ActionButton key={id} id={id} icon={icon} selected={tool === id} />
        ))}
        {hasTake && <span className="separator" />}
        {hasTake && <ActionButton id="compare" icon={SquareSplitHorizontal} selected={comparing} />}
        {hasTake && (
          <IconButton
            className="button quiet icon"
            label="Show the original while held"
            onPressStart={() => setSession({ holdOriginal: true })}
            onPressEnd={() => setSession({ holdOriginal: false })}
          >
            <Eye aria-hidden size={17} strokeWidth={1.75} />
          </IconButton>
        )}
      </Toolbar>
      {painting && <BrushSize />}
    </div>
  );
}

function BrushSize() {
  const size = useSettings((settings) => settings.brushSize);
  return (
    <Slider
      className="bar brush-size"
      value={size}
      minValue={4}
      maxValue={400}
      onChange={(brushSize) => setSettings({ brushSize })}
    >
      <Label>Brush</Label>
      <SliderTrack className="slider-track">
        <SliderThumb className="slider-thumb" />
      </SliderTrack>
      <SliderOutput>{() => `${size} px`}</SliderOutput>
    </Slider>
  );
}
