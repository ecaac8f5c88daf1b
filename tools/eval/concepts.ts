/** How well each method learns a figure, seen in pictures of it made from words alone. */
import { clipI } from '../../src/metrics/clip-image';
import { applyConcept, type Concept } from '../../src/personalization/concept';
import type { Pixels } from '../../src/util/pixels';
import type { EvalArguments } from './arguments';
import { type EvalConcept, type EvalData, picture, promptOf } from './data';
import type { Lab } from './lab';
import { learned } from './make-edit';
import type { Instruments } from './measure';
import { openPersonal, sample } from './personal';
import { nearestFigure } from './recognise';
import { type Circumstances, head, page } from './report';
import { resolveOptions } from './settings';
import { contactSheet } from './sheet';
import { meanOf } from './statistics';
import type { Store } from './store';
import { grid, withConfidence } from './tables';
import { METHODS, type Method, VARIANTS } from './variants';

const FIGURES = 5;
/** Places of the starter's captions that most scenes do not have. */
const TEMPLATES = [
  'a photo of {} on a wooden table',
  'a photo of {} on the grass',
  'a photo of {} in the snow',
  'a photo of {} in front of a bookshelf',
];
const SAMPLING = { steps: 30, guidance: 3 };

interface Row {
  readonly method: Method;
  readonly likeness: number;
  /** CLIP-I to held-out pictures ÷ CLIP-I between true pictures */
  readonly relative: number;
  readonly identity: number;
  /** pictures of the concept that show its class */
  readonly classShown: number;
  /** pictures of the plain class word that show the class, and not the concept */
  readonly classKept: number;
  readonly seconds: number;
  readonly memory: number;
  /** at two bytes a number */
  readonly file: number;
  readonly pictures: readonly Pixels[];
}

export async function conceptsPage(
  lab: Lab,
  store: Store,
  instruments: Instruments,
  circumstances: Circumstances,
  { methods, overrides, seeds }: Pick<EvalArguments, 'methods' | 'overrides' | 'seeds'>,
  say: (text: string) => void,
): Promise<{ readonly text: string; readonly sheet: Pixels }> {
  const { data } = circumstances;
  const rows: Row[] = [];
  const sheet: (Pixels | null)[][] = [];
  for (const concept of data.concepts.slice(0, FIGURES)) {
    const shown = [await picture(data, concept.references[0]!, lab.model.size)];
    for (const method of methods ?? METHODS) {
      const { learn } = resolveOptions(lab.recommended, method, VARIANTS.baseline, overrides);
      const request = { concept: concept.id, method, seed: seeds[0]! };
      const result = await learned(lab, data, store, request, learn);
      const row = await judged(lab, data, instruments, concept, method, result);
      rows.push(row);
      shown.push(...row.pictures.slice(0, 2));
      say(
        `${concept.id} ${method}: CLIP-I ${row.likeness.toFixed(3)}, ${row.relative.toFixed(2)} of true pictures’`,
      );
    }
    sheet.push(shown);
  }
  const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
  const order = (methods ?? METHODS).map((method) => `two of ${method}`).join(', ');
  const text = page([
    head('Concepts', circumstances, seconds),
    `Each method learned ${Math.min(FIGURES, data.concepts.length)} figures from ${data.concepts[0]!.references.length} pictures; ` +
      `${TEMPLATES.length} pictures of each were then made from words (DDIM, ${SAMPLING.steps} steps, guidance ${SAMPLING.guidance}). ` +
      `Class kept: pictures of the plain class word, by the model with the concept, that show the class and are not taken for the concept. ` +
      `Memory: by how much learning raised the process’s peak; 0 where an earlier run had reached it.`,
    table(rows, methods ?? METHODS),
    `![Concepts](concepts.jpg)`,
    `Columns: a reference, ${order}.`,
  ]);
  return { text, sheet: contactSheet(sheet, lab.model.size) };
}

async function judged(
  lab: Lab,
  data: EvalData,
  { space, recogniser }: Instruments,
  concept: EvalConcept,
  method: Method,
  { concept: learnt, seconds, memory }: { concept: Concept; seconds: number; memory: number },
): Promise<Row> {
  const personal = openPersonal(lab, applyConcept(lab.base, learnt));
  try {
    const make = (subject: string) =>
      inOrder(TEMPLATES, (template, i) =>
        sample(lab, personal, promptOf(template, subject), { ...SAMPLING, seed: i }),
      );
    const [pictures, plain] = [await make(learnt.subject), await make(concept.class)];
    const heldOut = await space.vectors(concept.heldOut);
    const likeness = mean(await inOrder(pictures, async (p) => clipI(await space.vector(p), heldOut)));
    const between = mean((await space.vectors(concept.references)).map((v) => clipI(v, heldOut)));
    const isClass = async (p: Pixels) => (await recogniser.classOf(p)) === concept.class;
    const isConcept = async (p: Pixels) => (await nearestFigure(data, space, p)) === concept.id;
    const shares = async (test: (p: Pixels) => Promise<boolean>, of: readonly Pixels[]) =>
      mean((await inOrder(of, test)).map(Number));
    return {
      method,
      likeness,
      relative: likeness / between,
      identity: await shares(isConcept, pictures),
      classShown: await shares(isClass, pictures),
      classKept: await shares(async (p) => (await isClass(p)) && !(await isConcept(p)), plain),
      seconds,
      memory,
      file: 2 * numbersOf(learnt),
      pictures,
    };
  } finally {
    await personal.dispose();
  }
}

function table(rows: readonly Row[], methods: readonly Method[]): string {
  const cells = methods.map((method) => {
    const own = rows.filter((row) => row.method === method);
    const number = (of: (row: Row) => number, digits: number) => withConfidence(meanOf(own.map(of)), digits);
    const percent = (of: (row: Row) => number) => `${(100 * mean(own.map(of))).toFixed(0)} %`;
    return [
      method,
      String(own.length),
      number((r) => r.likeness, 3),
      number((r) => r.relative, 3),
      percent((r) => r.identity),
      percent((r) => r.classShown),
      percent((r) => r.classKept),
      number((r) => r.seconds, 1),
      `${(Math.max(...own.map((r) => r.memory)) / 1e6).toFixed(0)} MB`,
      fileSize(mean(own.map((r) => r.file))),
    ];
  });
  const columns = [
    'CLIP-I to held-out',
    '÷ between true',
    'identity',
    'class shown',
    'class kept',
    'seconds',
  ];
  return grid(['method', 'figures', ...columns, 'memory', 'file, half precision'], cells);
}

const fileSize = (bytes: number): string =>
  bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

const numbersOf = ({ rows, unet, text, lora }: Concept): number =>
  [...unet.values(), ...text.values(), ...(lora?.factors.values() ?? []), ...(rows ? [rows] : [])].reduce(
    (sum, { data }) => sum + data.length,
    0,
  );

const mean = (values: readonly number[]): number => meanOf(values).mean;

/** One after the other: networks run one call at a time anyway. */
async function inOrder<T, R>(
  items: readonly T[],
  each: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const out: R[] = [];
  for (const [i, item] of items.entries()) out.push(await each(item, i));
  return out;
}
