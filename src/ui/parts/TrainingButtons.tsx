import { CircleStop, Flag, Pause, Play } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import type { Training } from '../../state/session-store';

interface Props {
  /** not done yet */
  readonly training: Pick<Training, 'phase' | 'step'>;
  readonly onPause: () => void;
  readonly onResume: () => void;
  readonly onFinish: () => void;
  readonly onCancel: () => void;
  /** what else can be done while it is paused */
  readonly children?: ReactNode;
}

/** How a person steers a job that trains: pause, resume, finish now, cancel. */
export function TrainingButtons({ training, onPause, onResume, onFinish, onCancel, children }: Props) {
  const { phase, step } = training;
  const paused = phase === 'paused';
  const ending = phase === 'finishing' || phase === 'cancelling';
  return (
    <>
      {/* one button, so that the keyboard stays with it */}
      <Button
        className={`button ${paused ? 'solid' : 'plain'} small pause`}
        isDisabled={ending}
        onPress={paused ? onResume : onPause}
      >
        {paused ? <Play aria-hidden size={14} fill="currentColor" /> : <Pause aria-hidden size={14} />}
        {paused ? 'Resume' : phase === 'pausing' ? 'Pausing…' : 'Pause'}
      </Button>
      {paused && children}
      <Button className="button plain small" isDisabled={ending || step === 0} onPress={onFinish}>
        <Flag aria-hidden size={14} /> Finish now
      </Button>
      <Button className="button quiet small" isDisabled={ending} onPress={onCancel}>
        <CircleStop aria-hidden size={14} /> Cancel
      </Button>
    </>
  );
}
