import { lazy, Suspense } from 'react';
import { type LossLog, lossLog, lossSummary } from '../../state/loss-log';

const LossChart = lazy(() => import('./LossChart').then((it) => ({ default: it.LossChart })));

/** The loss as a curve, in words and as numbers. @param step what it is drawn for, so that the words follow */
export function Loss({ step }: { step: number }) {
  const summary = lossSummary(lossLog);
  return (
    <div className="loss" data-step={step}>
      <h3>Loss: thin each step, thick smoothed</h3>
      <Suspense fallback={<div className="loss-chart" />}>
        <LossChart />
      </Suspense>
      <p className="help">{summary ?? 'The loss appears with the first steps.'}</p>
      {summary && (
        <details className="help">
          <summary>Loss in numbers</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">Step</th>
                <th scope="col">Loss</th>
                <th scope="col">Smoothed</th>
              </tr>
            </thead>
            <tbody>
              {rows(lossLog).map(([at, raw, smooth]) => (
                <tr key={at}>
                  <td>{at}</td>
                  <td>{raw}</td>
                  <td>{smooth}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </div>
  );
}

/** Some twenty steps of all, the last one among them. */
function rows({ steps, raw, smooth }: LossLog): (readonly [number, string, string])[] {
  const every = Math.max(1, Math.ceil(steps.length / 20));
  return steps.flatMap((step, i) =>
    (steps.length - 1 - i) % every === 0
      ? [[step, raw[i]!.toPrecision(3), smooth[i]!.toPrecision(3)] as const]
      : [],
  );
}
