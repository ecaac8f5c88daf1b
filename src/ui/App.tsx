import { useEffect, useLayoutEffect } from 'react';
import { useSession } from '../state/use-store';
import { fileInputId, filesChosen } from './choose-files';
import { AttentionDialog } from './dialogs/AttentionDialog';
import { ExportDialog } from './dialogs/ExportDialog';
import { HelpDialog } from './dialogs/HelpDialog';
import { PictureDialog } from './dialogs/PictureDialog';
import { RecipeDialog } from './dialogs/RecipeDialog';
import { RemoveModelDialog } from './dialogs/RemoveModelDialog';
import { CanvasPanel } from './panels/CanvasPanel';
import { Controls } from './panels/Controls';
import { DropOverlay } from './panels/DropOverlay';
import { Inputs } from './panels/Inputs';
import { LearnDrawer } from './panels/LearnDrawer';
import { Takes } from './panels/Takes';
import { TopBar } from './panels/TopBar';
import { bindShortcuts } from './shortcuts';

const name = 'DreamSteerer Studio';

const percentOf = (job: { readonly step: number; readonly total: number } | null): number | null =>
  job?.total ? Math.round((100 * job.step) / job.total) : null;

export function App() {
  const percent = useSession(({ edit, fitting, learning }) => percentOf(edit ?? fitting ?? learning));
  const dialog = useSession((now) => now.dialog);
  // at once: what is on the screen can be used
  useLayoutEffect(bindShortcuts, []);
  useEffect(() => {
    document.title = percent === null ? name : `${percent} % · ${name}`;
  }, [percent]);
  return (
    <div className="app">
      <TopBar />
      <div className="side">
        <Inputs />
        <Controls />
      </div>
      <CanvasPanel />
      <LearnDrawer />
      <Takes />
      <DropOverlay />
      {dialog?.kind === 'export' && <ExportDialog />}
      {dialog?.kind === 'help' && <HelpDialog />}
      {dialog?.kind === 'attention' && <AttentionDialog />}
      {dialog?.kind === 'picture' && <PictureDialog image={dialog.image} />}
      {dialog?.kind === 'remove-model' && <RemoveModelDialog model={dialog.model} />}
      {dialog?.kind === 'recipe' && <RecipeDialog image={dialog.image} recipe={dialog.recipe} />}
      <input
        id={fileInputId}
        type="file"
        hidden
        onChange={({ currentTarget }) => filesChosen(currentTarget)}
      />
    </div>
  );
}
