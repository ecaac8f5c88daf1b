import { ChevronRight, RotateCcw } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Disclosure, DisclosurePanel } from 'react-aria-components/Disclosure';
import { Heading } from 'react-aria-components/Heading';
import { conceptInUse } from '../../document/concepts';
import { fitBase, fitDefaults, fitInUse, fitOptions, setFitting } from '../../document/fits';
import type { FitInfo } from '../../engine/events';
import { commit } from '../../state/document-store';
import { useDocument, useSession } from '../../state/use-store';
import { Toggle } from '../parts/choices';
import { FitLog } from '../parts/FitLog';
import { LikenessChanges } from '../parts/LikenessChanges';
import { LikenessSlider } from '../parts/LikenessSlider';
import { OptionInput } from '../parts/OptionInput';
import { Picture } from '../parts/Picture';
import { SeedInput } from '../parts/SeedInput';

/** How alike the edit shall be, whether and how the concept in use is fitted to the photo, and what the fit in use learned from. */
export function FitForm() {
  const info = useSession((now) => now.info?.fitOptions ?? null);
  const used = useDocument((doc) => conceptInUse(doc) !== null);
  const on = useDocument((doc) => doc.fitting.on);
  const fitting = useSession((now) => now.fitting !== null);
  if (!info || !used) return null;
  return (
    <section aria-labelledby="fit-heading">
      <h2 id="fit-heading">Likeness</h2>
      <LikenessSlider />
      <Toggle
        label="Fit to this photo"
        help="Steers the concept to pose, layout and background of the photo before the edit."
        value={on}
        onChange={(next) =>
          commit(next ? 'Fit to this photo' : 'Do not fit', (doc) => setFitting(doc, { on: next }))
        }
      />
      <Samples info={info} />
      {fitting && <FitLog />}
      {on && <Details info={info} />}
    </section>
  );
}

function Samples({ info }: { info: FitInfo }) {
  const fit = useDocument((doc) => fitInUse(doc, info.defaults));
  if (!fit || fit.samples.length === 0) return null;
  return (
    <div className="fit-samples">
      <h3>Seen in this layout</h3>
      <ul aria-label="Guided samples">
        {fit.samples.map(({ id }, i) => (
          <li key={id}>
            <Picture id={id} maxSide={128} label={`Guided sample ${i + 1}`} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Details({ info }: { info: FitInfo }) {
  const doc = useDocument((it) => it);
  const base = fitBase(doc, info.defaults);
  const options = fitOptions(doc, info.defaults);
  const { fitting } = doc;
  const set = (label: string, next: typeof fitting.options): void =>
    commit(label, (now) => setFitting(now, { options: next }));
  return (
    <Disclosure className="disclosure">
      <Heading level={3}>
        <Button slot="trigger" className="disclosure-trigger">
          <ChevronRight aria-hidden size={15} /> How it fits
        </Button>
      </Heading>
      <DisclosurePanel className="disclosure-panel" aria-label="How it fits">
        <FitLog />
        <LikenessChanges info={info} base={fitDefaults(doc, info.defaults)} />
        {Object.entries(info.fields).map(([name, field]) => (
          <OptionInput
            key={name}
            field={field}
            value={options[name]!}
            onChange={(value) => {
              const { [name]: _, ...others } = fitting.options;
              const label = `Set ${field.label.toLowerCase()}`;
              set(label, value === base[name] ? others : { ...others, [name]: value });
            }}
          />
        ))}
        <SeedInput
          value={fitting.seed}
          onChange={(seed) => commit('Set seed of the fit', (now) => setFitting(now, { seed }))}
        />
        <Button
          className="button plain small"
          isDisabled={Object.keys(fitting.options).length === 0}
          onPress={() => set('Reset settings of the fit', {})}
        >
          <RotateCcw aria-hidden size={14} /> Reset to defaults
        </Button>
      </DisclosurePanel>
    </Disclosure>
  );
}
