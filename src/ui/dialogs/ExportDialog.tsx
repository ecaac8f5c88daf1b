import { Check, Layers2, Minus } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Label } from 'react-aria-components/Label';
import { Slider, SliderOutput, SliderThumb, SliderTrack } from 'react-aria-components/Slider';
import { shownTake } from '../../document/actions';
import type { Take } from '../../document/document';
import {
  canChoosePlace,
  download,
  type Exported,
  exportName,
  renderExport,
  saveAs,
} from '../../state/exports';
import { frameOf, keepFrame } from '../../state/frames';
import { setSession } from '../../state/session-store';
import { type ExportFormat, setSettings } from '../../state/settings-store';
import { useDocument, useSession, useSettings } from '../../state/use-store';
import { Toggle } from '../parts/choices';
import { Modal } from '../parts/Modal';
import { Segments } from '../parts/Segments';

const formats = [
  ['png', 'PNG'],
  ['jpeg', 'JPEG'],
  ['webp', 'WebP'],
] as const satisfies readonly (readonly [ExportFormat, string])[];

const size = (bytes: number): string =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** The file is made while the dialog is open, so that what is shown, measured and listed is what is saved. */
export function ExportDialog() {
  const take = useDocument(shownTake);
  const name = useDocument((doc) => exportName(doc));
  const { exportFormat: format, exportQuality: quality, exportRecipe: recipe } = useSettings((it) => it);
  const [made, setMade] = useState<(Exported & { readonly url: string }) | null>(null);

  useEffect(() => {
    if (!take) return;
    const outdated = new AbortController();
    let url: string | undefined;
    setMade(null);
    renderExport(take, { format, quality, recipe }, outdated.signal).then((result) => {
      if (!result || outdated.signal.aborted) return;
      url = URL.createObjectURL(result.blob);
      setMade({ ...result, url });
    });
    return () => {
      outdated.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [take, format, quality, recipe]);

  if (!take) return null;
  const { width, height } = take.recipe.photo;
  const file = `${name}.${format === 'jpeg' ? 'jpg' : format}`;
  const close = (): void => setSession({ dialog: null });
  const save = (blob: Blob): void => {
    download(blob, file);
    close();
  };
  return (
    <Modal title="Export" wide>
      <div className="export">
        <div className="export-preview" aria-busy={!made}>
          {made ? <img src={made.url} alt="What will be saved" /> : <span className="help">Preparing…</span>}
        </div>
        <div>
          <OtherFrame take={take} />
          <div className="field">
            <Segments
              label="Format"
              value={format}
              choices={formats}
              onChange={(exportFormat) => setSettings({ exportFormat })}
            />
            <span className="help">
              {format === 'png'
                ? 'Lossless: pixels that were not edited are identical to the photo’s.'
                : 'Smaller, with slight losses everywhere. Only PNG carries the recipe.'}
            </span>
          </div>
          {format !== 'png' && <Quality value={quality} />}
          {format === 'png' && (
            <Toggle
              label="Include recipe"
              help="Prompts and settings travel in the file: drop it here to restore them."
              value={recipe}
              onChange={(on) => setSettings({ exportRecipe: on })}
            />
          )}
          <div className="field">
            <h3 className="help">What is inside</h3>
            <ul className="inside" aria-label="What is inside">
              <Item present>
                Picture, {width} × {height}
                {made && `, ${size(made.blob.size)}`}
              </Item>
              {made && (
                <>
                  <Item present={made.inside.label}>Label: made partly by a trained model</Item>
                  <Item present={made.inside.recipe}>
                    {made.inside.recipe ? 'Recipe: prompts and settings' : 'No recipe'}
                  </Item>
                  <Item present={made.inside.exif}>
                    {made.inside.exif ? 'Camera data' : 'No place, date or camera data'}
                  </Item>
                </>
              )}
            </ul>
          </div>
          <div className="row save">
            <Button className="button solid" isDisabled={!made} onPress={() => made && save(made.blob)}>
              <span>Save {file}</span>
            </Button>
            {canChoosePlace && (
              <Button
                className="button plain"
                isDisabled={!made}
                onPress={() => made && void saveAs(made.blob, file).then((saved) => saved && close())}
              >
                Save as…
              </Button>
            )}
          </div>
        </div>
      </div>
    </Modal>
  );
}

/** A step is looked at: what is saved is another picture than the one on the canvas. */
function OtherFrame({ take }: { take: Take }) {
  const index = useSession((now) => frameOf(now, take).index);
  const [keeping, setKeeping] = useState(false);
  if (index === take.steps - 1) return null;
  return (
    <div className="export-note" role="note">
      <p>
        You are looking at frame {index + 1} of {take.steps}. This saves the finished picture.
      </p>
      <Button
        className="button plain small"
        isDisabled={keeping}
        onPress={({ target }) => {
          // the button goes: keys stay with the dialog
          target.closest<HTMLElement>('[role=dialog]')?.focus();
          setKeeping(true);
          void keepFrame(take, index).finally(() => setKeeping(false));
        }}
      >
        <Layers2 aria-hidden size={14} /> Keep this frame
      </Button>
    </div>
  );
}

function Item({ present, children }: { present: boolean; children: ReactNode }) {
  const Icon = present ? Check : Minus;
  return (
    <li>
      <Icon aria-hidden size={14} /> <span>{children}</span>
    </li>
  );
}

function Quality({ value }: { value: number }) {
  // re-encoding a large photo takes a while: do it when the thumb is released
  const [shown, setShown] = useState(value);
  return (
    <Slider
      className="field quality"
      value={shown}
      minValue={1}
      maxValue={100}
      onChange={setShown}
      onChangeEnd={(exportQuality) => setSettings({ exportQuality })}
    >
      <Label>Quality</Label>
      <SliderOutput />
      <SliderTrack className="slider-track">
        <SliderThumb className="slider-thumb" />
      </SliderTrack>
    </Slider>
  );
}
