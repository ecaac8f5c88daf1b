import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { Recipe } from '../../document/document';
import type { LookResult, PromptAttention } from '../../engine/events';
import { lookAtWords, lookedAt, type NoiseLevel } from '../../state/attention';
import { currentDocument } from '../../state/document-store';
import { reportError } from '../../state/errors';
import { session, setSession } from '../../state/session-store';
import { Heat, HeatLegend } from '../parts/Heat';
import { Modal } from '../parts/Modal';
import { Segments } from '../parts/Segments';

type Map = PromptAttention['words'][number]['maps'][number];

const layers = [
  ['encoder', 'Encoder'],
  ['decoder', 'Decoder'],
  ['all', 'Both'],
] as const;
type Layer = (typeof layers)[number][0];

const levels = [
  ['all', 'All'],
  ['low', 'Low'],
  ['middle', 'Middle'],
  ['high', 'High'],
] as const satisfies readonly (readonly [NoiseLevel, string])[];

const prompts = [
  ['source', 'Photo shows'],
  ['target', 'Change to'],
] as const;

/** Where the model looks for each word: what the automatic outline is made of. */
export function AttentionDialog() {
  // as it was when the dialog opened: nothing beneath it changes meanwhile
  const [recipe] = useState(() => lookedAt(currentDocument(), session()));
  const [noise, setNoise] = useState<NoiseLevel>('all');
  const { result, part } = useLook(recipe, noise);
  if (!recipe) return null;
  return (
    <Modal title="Attention" wide>
      {result ? (
        <Viewer recipe={recipe} result={result} noise={noise} onNoise={setNoise} />
      ) : (
        <div className="attention-wait">
          <p role="status">Looking where the words point… {Math.round(100 * part)} %</p>
          <Button className="button plain" onPress={() => setSession({ dialog: null })}>
            Cancel
          </Button>
        </div>
      )}
    </Modal>
  );
}

/** @returns the latest that is there, and the part done of what is being made, [0,1] */
function useLook(recipe: Recipe | null, noise: NoiseLevel): { result: LookResult | null; part: number } {
  const [result, setResult] = useState<LookResult | null>(null);
  const [part, setPart] = useState(0);
  useEffect(() => {
    if (!recipe) return;
    const leave = new AbortController();
    setPart(0);
    lookAtWords(recipe, noise, leave.signal, setPart).then(setResult, (error: unknown) => {
      if (leave.signal.aborted) return;
      setSession({ dialog: null });
      reportError(error);
    });
    return () => leave.abort();
  }, [recipe, noise]);
  return { result, part };
}

interface ViewerProps {
  readonly recipe: Recipe;
  readonly result: LookResult;
  readonly noise: NoiseLevel;
  readonly onNoise: (noise: NoiseLevel) => void;
}

function Viewer({ recipe, result, noise, onNoise }: ViewerProps) {
  const [side, setSide] = useState<'source' | 'target'>('source');
  const [layer, setLayer] = useState<Layer>('all');
  const [places, setPlaces] = useState<number | null>(null);
  const prompt = result[side] ?? result.source;
  const [at, setAt] = useState(() => firstWord(result.source, recipe.subject));
  const word = prompt.words[Math.min(at, prompt.words.length - 1)];
  if (!word) return <p>The description has no words.</p>;
  const maps = word.maps.filter((map) => map.part === layer);
  const map = maps.find(({ size }) => size === places) ?? nearest(maps, 16);
  return (
    <div className="attention">
      <Heat recipe={recipe} map={map} label={describe(word.word, map)} />
      <div className="attention-choices">
        {result.target && (
          <Segments
            label="Description"
            value={side}
            choices={prompts}
            onChange={(next) => {
              setSide(next);
              setAt(firstWord(result[next] ?? result.source, next === 'source' ? recipe.subject : null, at));
            }}
          />
        )}
        <Segments
          label="Words"
          className="words"
          value={String(at)}
          choices={prompt.words.map((each, i) => [String(i), each.word] as const)}
          onChange={(next) => setAt(Number(next))}
        />
        <h3>Layers</h3>
        <Segments label="Layers" value={layer} choices={layers} onChange={setLayer} />
        <h3>Size of the map</h3>
        <Segments
          label="Size of the map"
          value={String(map.size)}
          choices={maps.map(({ size }) => [String(size), `${size} × ${size}`] as const)}
          onChange={(next) => setPlaces(Number(next))}
        />
        <h3>Noise</h3>
        <Segments label="Noise" value={noise} choices={levels} onChange={onNoise} />
        <p className="help">Much noise shows where things are, little where their details are.</p>
        <HeatLegend min={map.min} max={map.max} />
      </div>
    </div>
  );
}

/** The word that is most likely looked for: the subject's last, else the one at the same place, else the last. */
function firstWord({ words }: PromptAttention, subject: string | null, fallback = words.length - 1): number {
  const sought = subject?.toLowerCase().split(/\s+/).at(-1);
  const found = words.findIndex(({ word }) => word === sought);
  return found >= 0 ? found : Math.min(fallback, words.length - 1);
}

const nearest = (maps: readonly Map[], size: number): Map =>
  maps.reduce((a, b) => (Math.abs(Math.log(b.size / size)) < Math.abs(Math.log(a.size / size)) ? b : a));

/** 'Attention to “cat”, most of it in the middle, around 40 % from the left and 60 % from the top' */
function describe(word: string, { map, size, part }: Map): string {
  const total = map.reduce((a, b) => a + b, 0) || 1;
  const centre = (of: (i: number) => number): number =>
    Math.round((100 * map.reduce((sum, v, i) => sum + v * (of(i) + 0.5), 0)) / total / size);
  const [x, y] = [centre((i) => i % size), centre((i) => Math.floor(i / size))];
  const where = part === 'all' ? 'encoder and decoder' : part;
  return `Where “${word}” is looked for by the ${where}: its centre lies ${x} % from the left and ${y} % from the top`;
}
