import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { lossLog } from '../../state/loss-log';

/** Between two drawings, ms: often enough to look alive. */
const refresh = 250;

/** Loss by step, raw and smoothed. Decorative: the words and the table beside it say the same. */
export function LossChart() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const target = box.current!;
    const colour = (name: string): string => getComputedStyle(target).getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '11px Inter, sans-serif',
    };
    const size = () => ({ width: target.clientWidth, height: target.clientHeight });
    const chart = new uPlot(
      {
        ...size(),
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 16, 0, 0],
        scales: { x: { time: false } },
        axes: [
          { ...axis, size: 22, gap: 3, space: 60 },
          { ...axis, size: 44, gap: 4, space: 28 },
        ],
        series: [
          {},
          { stroke: colour('--line-strong'), width: 1, points: { show: false } },
          { stroke: colour('--accent'), width: 2, points: { show: false } },
        ],
      },
      data(),
      target,
    );
    let drawn = lossLog.steps.length;
    const timer = setInterval(() => {
      if (lossLog.steps.length === drawn || document.hidden) return;
      drawn = lossLog.steps.length;
      chart.setData(data());
    }, refresh);
    const resized = new ResizeObserver(() => chart.setSize(size()));
    resized.observe(target);
    return () => {
      clearInterval(timer);
      resized.disconnect();
      chart.destroy();
    };
  }, []);
  return <div ref={box} className="loss-chart" aria-hidden />;
}

const data = (): uPlot.AlignedData => [[...lossLog.steps], [...lossLog.raw], [...lossLog.smooth]];
