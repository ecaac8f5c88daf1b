import { FlipVertical2, ImagePlus, Trash2 } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { invertMask } from '../../canvas/mounted';
import { setMask, setSquare } from '../../document/actions';
import type { Square } from '../../document/document';
import { minSquare } from '../../document/square';
import { commit, inOrder } from '../../state/document-store';
import { useDocument, useSession } from '../../state/use-store';
import { perform } from '../actions';
import { NumberInput } from '../parts/fields';
import { Picture } from '../parts/Picture';
import { Privacy } from '../parts/Privacy';
import { Concepts } from './Concepts';
import { Model } from './Model';

/** What an edit starts from: the photo, the square of it that is edited, the mask, and what was learned. */
export function Inputs() {
  const hasPhoto = useDocument((doc) => doc.photo !== null);
  return (
    <aside className="panel inputs" aria-label="Inputs">
      <PhotoCard />
      {hasPhoto && <SquareFields />}
      {hasPhoto && <MaskCard />}
      <Concepts />
      <Model />
      <Privacy />
    </aside>
  );
}

const megapixels = (width: number, height: number): string => {
  const mp = (width * height) / 1e6;
  return `${mp < 1 ? mp.toFixed(2) : mp.toFixed(1)} MP`;
};

function PhotoCard() {
  const photo = useDocument((doc) => doc.photo);
  const busy = useSession((now) => now.edit !== null || now.busy !== null);
  return (
    <section aria-labelledby="photo-heading">
      <h2 id="photo-heading">Photo</h2>
      {photo ? (
        <div className="photo-card">
          <Picture id={photo.id} maxSide={192} />
          <div className="facts">
            <strong title={photo.name}>{photo.name}</strong>
            <span>
              {photo.width} × {photo.height} · {megapixels(photo.width, photo.height)}
            </span>
            <Button className="button link" isDisabled={busy} onPress={() => perform('open-photo')}>
              Replace
            </Button>
          </div>
        </div>
      ) : (
        <button type="button" className="photo-slot" onClick={() => perform('open-photo')}>
          <ImagePlus aria-hidden size={22} strokeWidth={1.5} />
          <span>Drop, paste or choose a photo</span>
        </button>
      )}
    </section>
  );
}

function SquareFields() {
  const photo = useDocument((doc) => doc.photo);
  const square = useDocument((doc) => doc.square);
  const model = useSession((now) => now.info?.model);
  if (!photo || !square) return null;
  const set = (change: Partial<Square>): void =>
    commit('Place square', (doc) => setSquare(doc, { ...square, ...change }));
  const detail = model && square.size / model.size;
  return (
    <section aria-labelledby="square-heading">
      <h2 id="square-heading">Edit square</h2>
      <div className="triple">
        <NumberInput
          compact
          label="X"
          value={square.x}
          min={0}
          max={photo.width - square.size}
          onChange={(x) => set({ x })}
        />
        <NumberInput
          compact
          label="Y"
          value={square.y}
          min={0}
          max={photo.height - square.size}
          onChange={(y) => set({ y })}
        />
        <NumberInput
          compact
          label="Size"
          value={square.size}
          min={Math.min(minSquare, photo.width, photo.height)}
          max={Math.min(photo.width, photo.height)}
          onChange={(size) => set({ size })}
        />
      </div>
      {detail && (
        <p className="help">
          Worked on at {model.size} × {model.size} px
          {detail > 1.05
            ? `, ${detail.toFixed(1)} × smaller than in the photo. A smaller square keeps more detail.`
            : '.'}
        </p>
      )}
    </section>
  );
}

function MaskCard() {
  const mask = useDocument((doc) => doc.mask);
  return (
    <section aria-labelledby="mask-heading" className="mask">
      <h2 id="mask-heading">Mask</h2>
      {mask ? (
        <>
          <p className="help">Painted: only the tinted area changes.</p>
          <div className="row">
            <Button className="button plain small" onPress={invertMask}>
              <FlipVertical2 aria-hidden size={15} /> Invert
            </Button>
            <Button
              className="button plain small"
              onPress={() => void inOrder(() => commit('Clear mask', (doc) => setMask(doc, null)))}
            >
              <Trash2 aria-hidden size={15} /> Clear
            </Button>
          </div>
        </>
      ) : (
        <p className="help">Automatic. To choose the area yourself, paint it with the brush.</p>
      )}
    </section>
  );
}
