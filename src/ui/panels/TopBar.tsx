import { CircleHelp, Download, FolderOpen, Redo2, Undo2 } from 'lucide-react';
import { useDocument, useRedoLabel, useSession, useUndoLabel } from '../../state/use-store';
import { ActionButton } from '../parts/ActionButton';
import { Mark } from '../parts/Mark';

const savedText = { saved: 'Saved in this browser', saving: 'Saving…', failed: 'Not saved' } as const;

export function TopBar() {
  const undo = useUndoLabel();
  const redo = useRedoLabel();
  const hasWork = useDocument((doc) => doc.photo !== null || doc.concepts.length > 0);
  const saved = useSession((now) => now.saved);
  return (
    <header className="top-bar">
      <h1 className="brand">
        <Mark /> <span>DreamSteerer Studio</span>
      </h1>
      <div className="group">
        <ActionButton id="open-photo" icon={FolderOpen}>
          Open photo
        </ActionButton>
        <span className="separator" />
        <ActionButton id="undo" icon={Undo2} hint={undo ? `Undo: ${undo}` : 'Undo'} />
        <ActionButton id="redo" icon={Redo2} hint={redo ? `Redo: ${redo}` : 'Redo'} />
      </div>
      <span className="spring" />
      {hasWork && <span className={`saved ${saved}`}>{savedText[saved]}</span>}
      <div className="group">
        <ActionButton id="help" icon={CircleHelp} />
        <ActionButton id="export" icon={Download} look="plain">
          Export
        </ActionButton>
      </div>
    </header>
  );
}
