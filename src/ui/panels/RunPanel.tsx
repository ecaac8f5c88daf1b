import { CircleStop, Play } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { Button } from 'react-aria-components/Button';
import { ProgressBar } from 'react-aria-components/ProgressBar';
import { notReady, restartEngine, seconds } from '../../state/edits';
import type { RunningEdit } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { perform } from '../actions';
import { Keys } from '../parts/ActionButton';

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

const stages = {
  queued: 'Waiting',
  load: 'Loading the model',
  compile: 'Preparing the networks',
  encode: 'Reading the photo',
  invert: 'Tracing the photo back to noise',
  'null-text': 'Learning to retrace the photo',
  guide: 'Trying the concept in this layout',
  fit: 'Fitting the concept to the photo',
  edit: 'Editing',
  prior: 'Making pictures of the class',
  learn: 'Learning',
  look: 'Looking at the words',
  decode: 'Finishing',
} as const;

function Progress({ edit }: { edit: RunningEdit }) {
  const { stage, fraction, step, total, secondsLeft } = edit;
  const editing = stage === 'edit' && step > 0;
  const part = editing ? step / total : stage === 'decode' ? 1 : fraction;
  const text = editing ? `Step ${step} of ${total}` : stages[stage];
  return (
    <ProgressBar
      className="progress"
      aria-label="Editing"
      valueLabel={text}
      {...(part === null ? { isIndeterminate: true } : { value: Math.round(part * 100) })}
    >
      {({ percentage }) => (
        <>
          <div className="progress-text">
            <span>{text}</span>
            <span>
              {editing && secondsLeft !== null && step < total ? `${seconds(secondsLeft)} left` : ''}
            </span>
          </div>
          <div className="progress-track">
            <div
              className="progress-fill"
              style={percentage === undefined ? undefined : { width: `${percentage}%` }}
            />
          </div>
        </>
      )}
    </ProgressBar>
  );
}
