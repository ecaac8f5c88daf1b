import { ImagePlus, Trash2, TriangleAlert } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Label } from 'react-aria-components/Label';
import { Slider, SliderThumb, SliderTrack } from 'react-aria-components/Slider';
import { ToggleButton } from 'react-aria-components/ToggleButton';
import { changeConcept, maxPictures } from '../../document/concept-edits';
import type { Concept, ConceptPicture } from '../../document/document';
import { pictureNotes } from '../../document/picture-notes';
import { addFiles } from '../../state/concepts';
import { begin, commit, end, update } from '../../state/document-store';
import { checkOf } from '../../state/picture-checks';
import { useSession } from '../../state/use-store';
import { chooseFiles } from '../choose-files';
import { IconButton } from '../parts/IconButton';
import { Picture } from '../parts/Picture';

/** What is learned from: pictures as the model will see them, with what is wrong with them in words. */
export function ConceptPictures({ concept: { id, pictures } }: { concept: Concept }) {
  const notes = useNotes(pictures);
  const [chosen, choose] = useState<string | null>(null);
  const busy = useSession((now) => now.busy !== null);
  const selected = pictures.find(({ image }) => image.id === chosen);
  const told = notes.flatMap((note, index) =>
    note ? [`Picture ${index + 1} ${note === 'looks blurred' ? note : `is ${note}`}.`] : [],
  );
  return (
    <div className="pictures">
      <ul className="picture-grid" aria-label="Pictures">
        {pictures.map(({ image, square }, index) => (
          <li key={image.id}>
            <ToggleButton
              className="picture-button"
              isSelected={image.id === chosen}
              aria-label={`Picture ${index + 1}${notes[index] ? `, ${notes[index]}` : ''}`}
              onChange={(on) => choose(on ? image.id : null)}
            >
              <Picture id={image.id} maxSide={256} crop={{ square, width: image.width }} />
              {notes[index] && <TriangleAlert aria-hidden size={14} className="flag" />}
            </ToggleButton>
          </li>
        ))}
        {pictures.length < maxPictures && (
          <li>
            <IconButton
              className="picture-add"
              label="Add pictures"
              isDisabled={busy}
              onPress={() =>
                chooseFiles({ accept: 'image/*', multiple: true }, (files) => void addFiles(id, files))
              }
            >
              <ImagePlus aria-hidden size={18} strokeWidth={1.5} />
            </IconButton>
          </li>
        )}
      </ul>
      {selected && <Chosen key={selected.image.id} concept={id} picture={selected} />}
      <p className="help">{advice(pictures.length)}</p>
      {told.map((line) => (
        <p key={line} className="picture-note">
          <TriangleAlert aria-hidden size={13} /> {line}
        </p>
      ))}
    </div>
  );
}

function advice(count: number): string {
  if (count === 0) return 'Add three to five pictures of it.';
  if (count === 1) return 'One picture works; three to five work best.';
  if (count === 2) return 'One more would help: three to five work best.';
  return `${count} pictures. Different places and angles help most.`;
}

/** Notes on pictures, as soon as they were looked at. */
function useNotes(pictures: readonly ConceptPicture[]): readonly (string | null)[] {
  const [notes, setNotes] = useState<readonly (string | null)[]>([]);
  useEffect(() => {
    let current = true;
    void Promise.all(pictures.map(checkOf)).then((checks) => current && setNotes(pictureNotes(checks)));
    return () => {
      current = false;
    };
  }, [pictures]);
  return pictures.map((_, index) => notes[index] ?? null);
}

/** A picture larger, with where its square lies, and out with it. */
function Chosen({ concept, picture }: { concept: string; picture: ConceptPicture }) {
  const { image, square } = picture;
  const wide = image.width > image.height;
  const room = Math.max(image.width, image.height) - square.size;
  const moving = useRef(false);
  const change =
    (edit: (pictures: readonly ConceptPicture[]) => readonly ConceptPicture[]) =>
    (doc: Parameters<typeof changeConcept>[0]) =>
      changeConcept(doc, concept, ({ pictures }) => ({ pictures: edit(pictures) }));
  const move = (at: number): void =>
    update(
      change((all) =>
        all.map((it) =>
          it.image.id === image.id
            ? { ...it, square: { ...it.square, x: wide ? at : it.square.x, y: wide ? it.square.y : at } }
            : it,
        ),
      ),
    );
  return (
    <div className="chosen">
      <Picture id={image.id} maxSide={512} crop={{ square, width: image.width }} label={image.name} />
      {room > 0 && (
        <Slider
          className="crop"
          value={wide ? square.x : square.y}
          minValue={0}
          maxValue={room}
          onChange={(at) => {
            if (!moving.current) begin('Move crop');
            moving.current = true;
            move(at);
          }}
          onChangeEnd={() => {
            moving.current = false;
            end();
          }}
        >
          <Label>Crop: {wide ? 'left to right' : 'top to bottom'}</Label>
          <SliderTrack className="slider-track">
            <SliderThumb className="slider-thumb" />
          </SliderTrack>
        </Slider>
      )}
      <Button
        className="button quiet small"
        onPress={() =>
          commit(
            'Remove picture',
            change((all) => all.filter((it) => it.image.id !== image.id)),
          )
        }
      >
        <Trash2 aria-hidden size={14} /> Remove picture
      </Button>
    </div>
  );
}
