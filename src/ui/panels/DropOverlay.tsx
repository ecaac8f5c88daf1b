import { ImagePlus } from 'lucide-react';
import { useLayoutEffect, useState } from 'react';
import { currentDocument } from '../../state/document-store';
import { openFiles } from '../../state/photos';
import { session } from '../../state/session-store';

/** What a drop of that many files will do, in words. Their names are not told before the drop. */
function promise(count: number): readonly [string, string] {
  if (count > 1)
    return [
      'Drop to make a concept',
      `${count} pictures of one thing to learn. Concept files open as concepts.`,
    ];
  if (currentDocument().photo)
    return ['Drop to replace the photo or add to a concept', 'You will be asked which.'];
  return [
    'Drop to open as photo',
    'Several pictures make a concept. A picture exported from here brings its settings.',
  ];
}

const carriesFiles = (data: DataTransfer | null): boolean => data?.types.includes('Files') ?? false;

/**
 * The whole window takes drops and pastes, so that a missed one never makes the browser leave the page. The overlay
 * says in words what a drop will do.
 */
export function DropOverlay() {
  const [over, setOver] = useState(0);
  useLayoutEffect(() => {
    const listening = new AbortController();
    const on = <K extends keyof WindowEventMap>(type: K, f: (event: WindowEventMap[K]) => void): void =>
      addEventListener(type, f, { signal: listening.signal });
    on('dragover', (event) => {
      event.preventDefault();
      if (!carriesFiles(event.dataTransfer)) return;
      event.dataTransfer!.dropEffect = 'copy';
      const dragged = [...event.dataTransfer!.items].filter(({ kind }) => kind === 'file');
      setOver(Math.max(1, dragged.length));
    });
    on('dragleave', (event) => event.relatedTarget === null && setOver(0));
    on('drop', (event) => {
      event.preventDefault();
      setOver(0);
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
  if (over === 0) return null;
  const [what, detail] = promise(over);
  return (
    <div className="drop-overlay">
      <div>
        <ImagePlus aria-hidden size={34} strokeWidth={1.4} />
        <strong>{what}</strong>
        <span>{detail}</span>
      </div>
    </div>
  );
}
