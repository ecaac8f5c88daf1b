/** What is compared: how a concept is learned, whether it is steered to the photo, which edit puts it in. */

export type Settings = Readonly<Record<string, number | string | boolean>>;

/** One way to make an edit. Options that it does not name are the model's recommended ones. */
export interface Variant {
  readonly label: string;
  /** null: the concept as it was learned */
  readonly steer: Settings | null;
  readonly edit: string;
  /** reference pictures learned from; absent: all */
  readonly references?: number;
}

const steered = (label: string, steer: Settings): Variant => ({ label, steer, edit: 'dds-sm' });

/** By name, as --variants takes them. */
export const VARIANTS = {
  baseline: { label: 'DDS-SM', steer: null, edit: 'dds-sm' },
  dreamsteerer: steered('DreamSteerer', {}),
  'no-edsd': steered('without EDSD', { edsd: 0 }),
  'no-mode-shift': steered('without mode shifting', { modeShift: 0 }),
  unguided: steered('unguided samples (plain DDIM)', { sampling: 'noise' }),
  inverted: steered('samples inverted, not guided', { sampling: 'inverted' }),
  'one-shot': { label: 'DDS-SM, one picture', steer: null, edit: 'dds-sm', references: 1 },
  'one-shot-dreamsteerer': { ...steered('DreamSteerer, one picture', {}), references: 1 },
  'custom-edit': { label: 'Custom-Edit', steer: null, edit: 'custom-edit' },
  'custom-edit-dreamsteerer': { label: 'Custom-Edit with DreamSteerer', steer: {}, edit: 'custom-edit' },
  sds: { label: 'SDS', steer: null, edit: 'sds' },
  dds: { label: 'DDS', steer: null, edit: 'dds' },
  'dds-s': { label: 'DDS-S', steer: null, edit: 'dds-s' },
  'jacobian-plus': steered('Jacobian +I', { jacobian: 'plus' }),
  'jacobian-true': steered('true Jacobian', { jacobian: 'true' }),
} as const satisfies Record<string, Variant>;

export type VariantName = keyof typeof VARIANTS;

export const METHODS = ['textual-inversion', 'dreambooth', 'dreambooth-lora', 'custom-diffusion'] as const;
export type Method = (typeof METHODS)[number];

export interface Table {
  readonly title: string;
  readonly methods: readonly Method[];
  readonly variants: readonly VariantName[];
  /** the variant that the others are measured against, pair by pair */
  readonly against: VariantName;
}

/** By number, as --table takes them. */
export const TABLES: Readonly<Record<string, Table>> = {
  1: {
    title: 'DreamSteerer against the same edit without steering',
    methods: METHODS,
    variants: ['baseline', 'dreamsteerer'],
    against: 'baseline',
  },
  2: {
    title: 'Ablation',
    methods: ['dreambooth'],
    variants: ['dreamsteerer', 'no-edsd', 'no-mode-shift', 'baseline', 'unguided', 'inverted'],
    against: 'dreamsteerer',
  },
  3: {
    title: 'One reference picture',
    methods: ['dreambooth', 'custom-diffusion'],
    variants: ['one-shot', 'one-shot-dreamsteerer'],
    against: 'one-shot',
  },
  4: {
    title: 'Custom-Edit with and without the steered concept',
    methods: ['custom-diffusion'],
    variants: ['custom-edit', 'custom-edit-dreamsteerer'],
    against: 'custom-edit',
  },
  5: {
    title: 'Editing engine, same concept, no steering',
    methods: ['dreambooth'],
    variants: ['sds', 'dds', 'dds-s', 'baseline'],
    against: 'baseline',
  },
  6: {
    title: 'What stands for the Jacobian',
    methods: ['dreambooth'],
    variants: ['dreamsteerer', 'jacobian-plus', 'jacobian-true'],
    against: 'dreamsteerer',
  },
};
