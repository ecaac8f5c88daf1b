import { ImagePlus } from 'lucide-react';
import { useLayoutEffect, useState } from 'react';
import { openFiles } from '../../state/photos';
import { session } from '../../state/session-store';

const carriesFiles = (data: DataTransfer | null): boolean => data?.types.includes('Files') ?? false;

/**
 * The whole window takes drops and pastes, so that a missed one never makes the browser leave the page. The overlay
 * says in words what a drop will do.
 */
export function DropOverlay() {
  const [over, setOver] = useState(false);
  useLayoutEffect(() => {
    const listening = new AbortController();
    const on = <K extends keyof WindowEventMap>(type: K, f: (event: WindowEventMap[K]) => void): void =>
      addEventListener(type, f, { signal: listening.signal });
    on('dragover', (event) => {
      event.preventDefault();
      if (!carriesFiles(event.dataTransfer)) return;
      event.dataTransfer!.dropEffect = 'copy';
      setOver(true);
    });
    on('dragleave', (event) => event.relatedTarget === null && setOver(false));
    on('drop', (event) => {
      event.preventDefault();
      setOver(false);
      if (!session().dialog) void openFiles([...(event.dataTransfer?.files ?? [])]);
    });
    on('paste', (event) => {
      const pasted = [...(event.clipboardData?.files ?? [])];
      if (pasted.length === 0 || session().dialog) return;
      event.preventDefault();
      void openFiles(pasted);
    });
    return () => listening.abort();
  }, []);
  if (!over) return null;
  return (
    <div className="drop-overlay">
      <div>
        <ImagePlus aria-hidden size={34} strokeWidth={1.4} />
        <strong>Drop to open as photo</strong>
        <span>A picture exported from here also brings its settings.</span>
      </div>
    </div>
  );
}
