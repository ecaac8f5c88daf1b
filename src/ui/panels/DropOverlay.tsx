import { ImagePlus } from 'lucide-react';
import { useLayoutEffect, useState } from 'react';
import { currentDocument } from '../../state/document-store';
import { openModelFolder } from '../../state/models';
import { openFiles } from '../../state/photos';
import { session } from '../../state/session-store';
import { folderOfDrop } from '../../storage/walk-folder';

/** What a drop will do, in words. Of the files only number and types are told before the drop. */
function promise(count: number, isTyped: boolean): readonly [string, string] {
  // folders have no type, and neither have the files of concepts
  if (!isTyped) return ['Drop to open', 'A concept file opens as a concept, a model’s folder as a model.'];
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

/** Must be asked before the drop has been handled: then its items are gone. */
function folderIn({ items }: DataTransfer): FileSystemDirectoryEntry | null {
  const entries = [...items].map((item) => (item.kind === 'file' ? item.webkitGetAsEntry() : null));
  return (entries.find((entry) => entry?.isDirectory) as FileSystemDirectoryEntry | undefined) ?? null;
}

const carriesFiles = (data: DataTransfer | null): boolean => data?.types.includes('Files') ?? false;

/**
 * The whole window takes drops and pastes, so that a missed one never makes the browser leave the page. The overlay
 * says in words what a drop will do.
 */
export function DropOverlay() {
  const [over, setOver] = useState<readonly [count: number, isTyped: boolean] | null>(null);
  useLayoutEffect(() => {
    const listening = new AbortController();
    const on = <K extends keyof WindowEventMap>(type: K, f: (event: WindowEventMap[K]) => void): void =>
      addEventListener(type, f, { signal: listening.signal });
    on('dragover', (event) => {
      event.preventDefault();
      if (!carriesFiles(event.dataTransfer)) return;
      const closed = session().dialog !== null;
      event.dataTransfer!.dropEffect = closed ? 'none' : 'copy';
      if (closed) return setOver(null);
      const dragged = [...event.dataTransfer!.items].filter(({ kind }) => kind === 'file');
      setOver([Math.max(1, dragged.length), dragged.length === 0 || dragged.some(({ type }) => type !== '')]);
    });
    on('dragleave', (event) => event.relatedTarget === null && setOver(null));
    on('drop', (event) => {
      event.preventDefault();
      setOver(null);
      if (session().dialog || !event.dataTransfer) return;
      const folder = folderIn(event.dataTransfer);
      if (folder) void openModelFolder(() => folderOfDrop(folder));
      else void openFiles([...event.dataTransfer.files]);
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
  const [what, detail] = promise(...over);
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
