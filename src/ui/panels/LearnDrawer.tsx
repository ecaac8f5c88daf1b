import { ImagePlay, Play, X } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { conceptOf } from '../../document/concept-edits';
import { unfinishedRun } from '../../document/concept-learning';
import type { Concept } from '../../document/document';
import { pickConcept } from '../../state/concepts';
import { endUnfinished, notTriable, tryOnPhoto } from '../../state/learn-picks';
import {
  cancelLearning,
  finishLearning,
  pauseLearning,
  resumeConcept,
  resumeLearning,
} from '../../state/learning';
import { closeLearned, type Learning } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { Loss } from '../parts/Loss';
import { Checkpoints, Samples } from '../parts/learned-so-far';
import { ProgressLine } from '../parts/ProgressLine';
import { TrainingButtons } from '../parts/TrainingButtons';
import { stageWords } from '../stage-words';

/** A concept while it is learned, after that, or after an interruption: how it goes, what it looks like, what to do. */
export function LearnDrawer() {
  const learning = useSession((now) => now.learning);
  const concept = useDocument((doc) =>
    learning ? conceptOf(doc, learning.concept) : (doc.concepts.find(unfinishedRun) ?? null),
  );
  if (learning) return <Run learning={learning} concept={concept} />;
  return concept && <Interrupted concept={concept} />;
}

function Run({ learning, concept }: { learning: Learning; concept: Concept | null }) {
  const { phase, step } = learning;
  const name = concept?.name || 'the concept';
  return (
    <section className={`panel learn-drawer ${phase}`} aria-label={`Learning ${name}`}>
      <header>
        <h2>{titles[phase](name)}</h2>
        <Buttons learning={learning} />
      </header>
      {phase !== 'done' && <Progress learning={learning} />}
      <div className="learn-columns">
        <Loss step={step} />
        <Samples learning={learning} name={name} />
        <Checkpoints learning={learning} concept={concept} />
      </div>
    </section>
  );
}

const titles: Readonly<Record<Learning['phase'], (name: string) => string>> = {
  running: (name) => `Learning ${name}`,
  pausing: (name) => `Learning ${name}`,
  paused: (name) => `${name}, paused`,
  finishing: (name) => `Finishing ${name}`,
  cancelling: (name) => `Stopping ${name}`,
  done: (name) => `${name} is learned`,
};

function Buttons({ learning: { phase, step, concept } }: { learning: Learning }) {
  const used = useDocument((doc) => doc.concept === concept);
  if (phase === 'done') {
    return (
      <div className="row">
        {!used && (
          <Button className="button solid small" onPress={() => pickConcept(concept)}>
            <ImagePlay aria-hidden size={14} /> Use in the photo
          </Button>
        )}
        <Button className="button quiet icon" aria-label="Close" onPress={closeLearned}>
          <X aria-hidden size={17} />
        </Button>
      </div>
    );
  }
  return (
    <div className="row">
      <TrainingButtons
        training={{ phase, step }}
        onPause={pauseLearning}
        onResume={resumeLearning}
        onFinish={finishLearning}
        onCancel={cancelLearning}
      >
        <TryOnPhoto />
      </TrainingButtons>
    </div>
  );
}

/** An edit with what is learned so far; why not yet is said beside it. */
function TryOnPhoto() {
  const doc = useDocument((it) => it);
  const reason = useSession((now) => notTriable(doc, now));
  return (
    <>
      {reason && <span className="help">{reason}</span>}
      <Button className="button plain small" isDisabled={reason !== null} onPress={() => void tryOnPhoto()}>
        <ImagePlay aria-hidden size={14} /> Try on my photo
      </Button>
    </>
  );
}

function Progress({ learning }: { learning: Learning }) {
  const { phase, stage, fraction, step, total, secondsLeft } = learning;
  const steps = stage === 'learn';
  const at = steps ? `Step ${step} of ${total}` : stageWords[stage];
  return (
    <ProgressLine
      label="Learning"
      text={phase === 'paused' ? `${at}, paused. The engine is free for edits.` : at}
      part={steps ? step / total : fraction}
      secondsLeft={steps && step < total ? secondsLeft : null}
    />
  );
}

/** After a reload, a lost engine, or Cancel. */
function Interrupted({ concept }: { concept: Concept }) {
  const ready = useSession((now) => now.engine === 'ready');
  const { id, name } = concept;
  const last = unfinishedRun(concept);
  if (!last) return null;
  return (
    <section className="panel learn-drawer interrupted" aria-label={`Learning ${name}, interrupted`}>
      <header>
        <p>
          <strong>
            {name} stopped at step {last.step} of {Number(last.learned.options.steps)}.
          </strong>{' '}
          Nothing is lost.
        </p>
        <div className="row">
          <Button className="button solid small" isDisabled={!ready} onPress={() => void resumeConcept(id)}>
            <Play aria-hidden size={14} fill="currentColor" /> Resume
          </Button>
          <Button className="button plain small" onPress={() => endUnfinished(id, true)}>
            Use as is
          </Button>
          <Button className="button quiet small" onPress={() => endUnfinished(id, false)}>
            Discard
          </Button>
        </div>
      </header>
    </section>
  );
}
