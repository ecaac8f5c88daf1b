import { BranchNote } from './BranchNote';
import { FitForm } from './FitForm';
import { MethodForm } from './MethodForm';
import { Prompts } from './Prompts';
import { RunPanel } from './RunPanel';

/** What an edit should do, and Run. */
export function Controls() {
  return (
    <aside className="panel controls" aria-label="Controls">
      <div className="scroll">
        <Prompts />
        <BranchNote />
        <FitForm />
        <MethodForm />
      </div>
      <RunPanel />
    </aside>
  );
}
