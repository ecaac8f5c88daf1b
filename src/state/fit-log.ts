import { createLossLog, type LossLog } from './loss-log';

/** What a step of fitting tells, in words, and how it should go. */
export const fitMetrics = {
  delta2: 'Pull away from the photo (Δ²)',
  gap: 'Gap to the plain model',
  modeShift: 'Distance from the samples',
  pictures: 'Distance from its pictures',
} as const;

export type FitMetric = keyof typeof fitMetrics;

/** By metric, of the run that is shown. */
export const fitLog: Readonly<Record<FitMetric, LossLog>> = {
  delta2: createLossLog(),
  gap: createLossLog(),
  modeShift: createLossLog(),
  pictures: createLossLog(),
};

export const metricNames = Object.keys(fitMetrics) as FitMetric[];

export function clearFitLog(): void {
  for (const name of metricNames) fitLog[name].clear();
}

/** @param metrics  of a 'step' of fitting; those that are no part of the fit are missing */
export function logFitStep(step: number, metrics: Readonly<Record<string, number>>): void {
  for (const name of metricNames) fitLog[name].add(step, metrics[name] ?? Number.NaN);
}
