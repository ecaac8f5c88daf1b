/**
 * Factor on the step size at step i of n; 1 at the first. 'step' is the community port's StepLR(20, 0.9)
 * (METHOD.md 7.1); the DDS notebook is constant.
 */
export const stepSchedules = {
  constant: () => 1,
  linear: (i: number, n: number) => 1 - i / n,
  cosine: (i: number, n: number) => (1 + Math.cos((Math.PI * i) / n)) / 2,
  step: (i: number) => 0.9 ** Math.floor(i / 20),
} as const satisfies Readonly<Record<string, (i: number, n: number) => number>>;

export type StepSchedule = keyof typeof stepSchedules;
