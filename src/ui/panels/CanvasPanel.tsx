import { useEffect, useRef } from 'react';
import { mount } from '../../canvas/mounted';
import { useDocument, useSession } from '../../state/use-store';
import { CompareSlider } from '../parts/CompareSlider';
import { Empty } from '../parts/Empty';
import { Notices } from '../parts/Notices';
import { ToolBar } from '../parts/ToolBar';
import { ZoomBar } from '../parts/ZoomBar';

/** The picture, and what floats around it. */
export function CanvasPanel() {
  const stage = useRef<HTMLDivElement>(null);
  const hasPhoto = useDocument((doc) => doc.photo !== null || doc.shown !== null);
  const busy = useSession((now) => now.busy);
  useEffect(() => mount(stage.current!), []);
  return (
    <main className="canvas" aria-label="Canvas">
      {/* Konva owns what is inside; its pixels are described by the label and by the fields in Inputs */}
      <div
        ref={stage}
        className="stage"
        role="application"
        aria-label="Photo with the edit square. Arrow keys move the square, Alt and arrow keys resize it; with a brush they move the brush and Enter paints."
        tabIndex={hasPhoto ? 0 : -1}
        hidden={!hasPhoto}
      />
      {hasPhoto ? (
        <>
          <CompareSlider />
          <ToolBar />
          <ZoomBar />
        </>
      ) : (
        <Empty />
      )}
      {busy && <p className="busy">{busy}</p>}
      <Notices />
    </main>
  );
}
