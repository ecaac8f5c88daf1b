import { CircleStop, Play } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { Button } from 'react-aria-components/Button';
import { notReady, restartEngine } from '../../state/edits';
import type { RunningEdit } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { perform } from '../actions';
import { Keys } from '../parts/ActionButton';
import { ProgressLine } from '../parts/ProgressLine';
import { stageWords } from '../stage-words';

/** Run, and while an edit runs how far it is and how to stop it. Always in sight. */
export function RunPanel() {
  const edit = useSession((now) => now.edit);
  const status = useSession((now) => now.status);
  const doc = useDocument((it) => it);
  const reason = useSession((now) => notReady(doc, now));
  const panel = useRef<HTMLElement>(null);
  const running = edit !== null;
  const wasRunning = useRef(running);

  // Run and Stop replace each other: the keyboard stays with them
  useEffect(() => {
    if (running === wasRunning.current) return;
    wasRunning.current = running;
    if (document.activeElement !== document.body) return;
    panel.current?.querySelector<HTMLElement>('.run, .stop')?.focus({ preventScroll: true });
  }, [running]);

  return (
    <section className="run-panel" aria-label="Run" ref={panel}>
      {edit && <Progress edit={edit} />}
      <div className="row">
        {!edit && (
          <Button
            className="button solid run"
            isDisabled={reason !== null}
            aria-describedby="run-status"
            onPress={() => perform('run')}
          >
            <Play aria-hidden size={16} fill="currentColor" strokeWidth={1.5} /> Run
          </Button>
        )}
        {edit && (
          <Button
            className="button plain stop"
            isDisabled={edit.stopping !== 'no'}
            aria-label="Stop"
            onPress={() => perform('stop')}
          >
            <CircleStop aria-hidden size={16} /> {edit.stopping === 'no' ? 'Stop and keep' : 'Stopping…'}
          </Button>
        )}
        {edit?.stopping === 'overdue' && (
          <Button className="button danger" onPress={restartEngine}>
            Stop now
          </Button>
        )}
      </div>
      <p id="run-status" className="run-status">
        {!edit && reason}
        {!reason && !edit && !status ? <Keys binding="$mod+Enter" /> : null}
      </p>
      {/* the one polite live region: start, end, and what files do */}
      <p className="status" role="status">
        {status}
      </p>
    </section>
  );
}

function Progress({ edit }: { edit: RunningEdit }) {
  const { stage, fraction, step, total, secondsLeft } = edit;
  const editing = stage === 'edit' && step > 0;
  return (
    <ProgressLine
      label="Editing"
      text={editing ? `Step ${step} of ${total}` : stageWords[stage]}
      part={editing ? step / total : stage === 'decode' ? 1 : fraction}
      secondsLeft={editing && step < total ? secondsLeft : null}
    />
  );
}
