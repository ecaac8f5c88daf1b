import { ChevronRight, GraduationCap, RotateCcw } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Disclosure, DisclosurePanel } from 'react-aria-components/Disclosure';
import { Heading } from 'react-aria-components/Heading';
import { ToggleButton } from 'react-aria-components/ToggleButton';
import { ToggleButtonGroup } from 'react-aria-components/ToggleButtonGroup';
import { changeConcept } from '../../document/concept-edits';
import { type LearnPlan, outOfDate } from '../../document/concept-learning';
import type { Concept, PresetName } from '../../document/document';
import type { LearnMethodInfo } from '../../engine/events';
import { commit } from '../../state/document-store';
import { learnMethodOf, notLearnable, planOf, secondsFor } from '../../state/learn-plan';
import { learnConcept } from '../../state/learning';
import { roughly } from '../../state/time-left';
import { useSession } from '../../state/use-store';
import { Choice } from '../parts/choices';
import { OptionInput } from '../parts/OptionInput';
import { SeedInput } from '../parts/SeedInput';

const presets = [
  ['quick', 'Quick'],
  ['balanced', 'Balanced'],
  ['best', 'Best'],
] as const satisfies readonly (readonly [PresetName, string])[];

/** How a concept is learned, what that will take, and Learn. */
export function LearnForm({ concept }: { concept: Concept }) {
  const { id, preset, learned, unfinished } = concept;
  const info = useSession((now) => now.info);
  const reason = useSession((now) => notLearnable(concept, now));
  const busy = useSession(({ learning }) => learning !== null && learning.phase !== 'done');
  const method = useSession((now) => learnMethodOf(concept, now));
  const plan = useSession((now) => JSON.stringify(planOf(concept, now)));
  const change = (label: string, next: Partial<Concept>): void =>
    commit(label, (doc) => changeConcept(doc, id, () => next));
  if (!info || !method) return <p className="help">{reason}</p>;
  const label = unfinished && !busy ? 'Start over' : learned ? 'Learn again' : 'Learn';
  const known = JSON.parse(plan) as LearnPlan;
  const stale = outOfDate(concept, known);
  return (
    <div className="learn-form">
      <ToggleButtonGroup
        className="segments"
        aria-label="How well"
        selectionMode="single"
        disallowEmptySelection
        selectedKeys={[preset]}
        onSelectionChange={([key]) =>
          key && change('Choose preset', { preset: key as PresetName, options: {} })
        }
      >
        {presets.map(([key, label]) => (
          <ToggleButton key={key} id={key} className="button quiet small">
            {label}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      <p className="help">{promise(concept, known, busy)}</p>
      <Button
        className="button solid"
        isDisabled={reason !== null}
        aria-describedby={`learn-reason-${id}`}
        onPress={() => void learnConcept(id)}
      >
        <GraduationCap aria-hidden size={16} /> {label}
      </Button>
      <p id={`learn-reason-${id}`} className="help">
        {reason ?? (stale ? 'Changed since it was learned.' : '')}
      </p>
      <Details concept={concept} method={method} plan={known} change={change} />
    </div>
  );
}

/**
 * "Will run 500 steps = 4 pictures × 125. About 2 min on this computer."
 *
 * @param running  the drawer tells what is left
 */
function promise(concept: Concept, plan: LearnPlan, running: boolean): string {
  const { steps, perPicture, options } = plan;
  const count = concept.pictures.length;
  const each = count > 0 && Number.isInteger(perPicture);
  const run = `Will run ${steps} steps${each ? ` = ${count === 1 ? '1 picture' : `${count} pictures`} × ${perPicture}` : ''}.`;
  const made = Number(options.priorPictures ?? 0);
  const first = made > 0 ? ` Before that it makes ${made} pictures of the class.` : '';
  const time = secondsFor(concept, plan);
  if (time !== null) return `${run}${first} About ${roughly(time)} on this computer.`;
  return `${run}${first}${running ? '' : ' How long that takes is known after the first steps.'}`;
}

interface DetailsProps {
  readonly concept: Concept;
  readonly method: LearnMethodInfo;
  readonly plan: LearnPlan;
  readonly change: (label: string, next: Partial<Concept>) => void;
}

function Details({ concept, method, plan, change }: DetailsProps) {
  const methods = useSession((now) => now.info?.learnMethods) ?? [];
  const { options, seed } = concept;
  return (
    <Disclosure className="learn-details">
      <Heading level={3}>
        <Button slot="trigger" className="disclosure-trigger">
          <ChevronRight aria-hidden size={15} /> How it learns
        </Button>
      </Heading>
      <DisclosurePanel aria-label="How it learns">
        <Choice
          label="Learning method"
          value={method.name}
          choices={methods.map(({ name, label }) => ({ id: name, label }))}
          help={method.help}
          onChange={(next) => change('Choose learning method', { method: next, options: {} })}
        />
        {Object.entries(method.fields)
          .filter(([name]) => applies(name, method))
          .map(([name, field]) => (
            <OptionInput
              key={name}
              field={field}
              value={plan.options[name]!}
              onChange={(value) =>
                change(`Set ${field.label.toLowerCase()}`, { options: { ...options, [name]: value } })
              }
            />
          ))}
        <SeedInput value={seed} onChange={(next) => change('Set seed', { seed: next })} />
        <Button
          className="button plain small"
          isDisabled={Object.keys(options).length === 0}
          onPress={() => change('Reset settings', { options: {} })}
        >
          <RotateCcw aria-hidden size={14} /> Reset to the preset
        </Button>
      </DisclosurePanel>
    </Disclosure>
  );
}

/** A method without a part of it has 0 there: ranks of what has no low rank, words of what learns none. */
const applies = (name: string, { defaults }: LearnMethodInfo): boolean =>
  !['rank', 'alpha', 'vectors'].includes(name) || defaults[name] !== 0;
