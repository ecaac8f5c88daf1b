import { type CanvasControls, mountCanvas } from './stage';

/** There is one canvas; what steers it from elsewhere goes through here and does nothing while there is none. */
let mounted: CanvasControls | null = null;

/** @returns how to take it down again */
export function mount(container: HTMLDivElement): () => void {
  const controls = mountCanvas(container);
  mounted = controls;
  return () => {
    mounted = null;
    controls.dispose();
  };
}

export const fit = (): void => mounted?.fit();
export const actualSize = (): void => mounted?.actualSize();
export const zoomBy = (factor: number): void => mounted?.zoomBy(factor);
export const invertMask = (): void => mounted?.invertMask();
