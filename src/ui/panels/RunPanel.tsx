import { CircleStop, Play } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { Button } from 'react-aria-components/Button';
import { notRunnable } from '../../state/chain';
import { restartEngine } from '../../state/engine';
import { cancelFitting, finishFitting, pauseFitting, resumeFitting } from '../../state/fitting';
import type { Fitting, RunningEdit } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { perform } from '../actions';
import { Keys } from '../parts/ActionButton';
import { ProgressLine } from '../parts/ProgressLine';
import { TrainingButtons } from '../parts/TrainingButtons';
import { stageWords } from '../stage-words';
import { Stages } from './Stages';

/** Run, and while it runs how far it is and how to stop it. Always in sight. */
export function RunPanel() {
  const edit = useSession((now) => now.edit);
  const fitting = useSession((now) => now.fitting);
  const chain = useSession((now) => now.chain);
  const status = useSession((now) => now.status);
  const doc = useDocument((it) => it);
  const reason = useSession((now) => notRunnable(doc, now));
  const panel = useRef<HTMLElement>(null);
  const running = edit !== null || fitting !== null || chain;
  const wasRunning = useRef(running);

  // Run and Stop replace each other: the keyboard stays with them
  useEffect(() => {
    if (running === wasRunning.current) return;
    wasRunning.current = running;
    if (document.activeElement !== document.body) return;
    panel.current?.querySelector<HTMLElement>('.run, .stop, .pause')?.focus({ preventScroll: true });
  }, [running]);

  return (
    <section className="run-panel" aria-label="Run" ref={panel}>
      <Stages />
      {edit ? <EditProgress edit={edit} /> : fitting && <FitProgress fitting={fitting} />}
      <div className="row">
        {!running && (
          <Button
            className="button solid run"
            isDisabled={reason !== null}
            aria-describedby="run-status"
            onPress={() => perform('run')}
          >
            <Play aria-hidden size={16} fill="currentColor" strokeWidth={1.5} /> Run
          </Button>
        )}
        {fitting && !edit ? (
          <div className="fit-buttons">
            <TrainingButtons
              training={fitting}
              onPause={pauseFitting}
              onResume={resumeFitting}
              onFinish={finishFitting}
              onCancel={cancelFitting}
            />
          </div>
        ) : (
          running && <Stop edit={edit} />
        )}
      </div>
      <p id="run-status" className="run-status">
        {!running && reason}
        {!reason && !running && !status ? <Keys binding="$mod+Enter" /> : null}
      </p>
      {/* the one polite live region: start, end, and what files do */}
      <p className="status" role="status">
        {status}
      </p>
    </section>
  );
}

/** @param edit  null: learning comes first, which can only be cancelled */
function Stop({ edit }: { edit: RunningEdit | null }) {
  const stopping = edit?.stopping ?? 'no';
  return (
    <>
      <Button
        className="button plain stop"
        isDisabled={stopping !== 'no'}
        aria-label="Stop"
        onPress={() => perform('stop')}
      >
        <CircleStop aria-hidden size={16} />{' '}
        {stopping !== 'no' ? 'Stopping…' : edit ? 'Stop and keep' : 'Stop'}
      </Button>
      {stopping === 'overdue' && (
        <Button className="button danger" onPress={restartEngine}>
          Stop now
        </Button>
      )}
    </>
  );
}

function FitProgress({ fitting }: { fitting: Fitting }) {
  const { phase, stage, fraction, step, total, secondsLeft } = fitting;
  const steps = stage === 'fit' && step > 0;
  const at = steps ? `Step ${step} of ${total}` : stageWords[stage];
  return (
    <ProgressLine
      label="Fitting"
      text={phase === 'paused' ? `${at}, paused` : at}
      part={steps ? step / total : fraction}
      secondsLeft={steps && step < total ? secondsLeft : null}
    />
  );
}

function EditProgress({ edit }: { edit: RunningEdit }) {
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
