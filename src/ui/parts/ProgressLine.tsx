import { ProgressBar } from 'react-aria-components/ProgressBar';
import { seconds } from '../../state/time-left';

interface Props {
  /** accessible name */
  readonly label: string;
  readonly text: string;
  /** [0,1]; null: unknown */
  readonly part: number | null;
  /** s; null: unknown */
  readonly secondsLeft: number | null;
}

/** How far a job is, in words and as a bar. */
export function ProgressLine({ label, text, part, secondsLeft }: Props) {
  return (
    <ProgressBar
      className="progress"
      aria-label={label}
      valueLabel={text}
      {...(part === null ? { isIndeterminate: true } : { value: Math.round(part * 100) })}
    >
      {({ percentage }) => (
        <>
          <div className="progress-text">
            <span>{text}</span>
            <span>{secondsLeft === null ? '' : `${seconds(secondsLeft)} left`}</span>
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
