import { fitLog, fitMetrics, metricNames } from '../../state/fit-log';
import { courseOf, type LossLog } from '../../state/loss-log';
import { useSession } from '../../state/use-store';

/** How the fit goes or went, one line per part of it: a curve, the latest smoothed value, and its course in words. */
export function FitLog() {
  // drawn anew with every step
  useSession((now) => now.fitting?.step);
  const shown = metricNames.filter((name) => fitLog[name].steps.length > 0);
  if (shown.length === 0) return null;
  return (
    <ul className="fit-log" aria-label="How the fit goes">
      {shown.map((name) => (
        <li key={name}>
          <span>{fitMetrics[name]}</span>
          <Curve log={fitLog[name]} />
          <span className="help">
            {fitLog[name].smooth.at(-1)!.toPrecision(2)} {courseOf(fitLog[name])?.words ?? ''}
          </span>
        </li>
      ))}
    </ul>
  );
}

const [width, height] = [72, 20];

/** Smoothed values over steps. Decorative: the words beside it say the same. */
function Curve({ log: { smooth } }: { log: LossLog }) {
  const low = Math.min(...smooth);
  const range = Math.max(...smooth) - low || 1;
  const points = smooth.map((value, i) => {
    const x = (i / Math.max(1, smooth.length - 1)) * width;
    return `${x.toFixed(1)},${(height - 2 - ((value - low) / range) * (height - 4)).toFixed(1)}`;
  });
  return (
    <svg className="curve" aria-hidden viewBox={`0 0 ${width} ${height}`} width={width} height={height}>
      <polyline points={points.join(' ')} fill="none" stroke="currentColor" strokeWidth={1.5} />
    </svg>
  );
}
