// `CarouselForm`: post several images in one order.

import { useRef } from "preact/hooks";
import { own } from "../logic/own";
import { useObjectUrl } from "../runtime/bytes";
import { usePanel, useUid } from "../runtime/context";
import { Button, CloseButton, LinkButton } from "../ui/button";
import { CheckLine } from "../ui/check_result";
import { FixingNote, useCanFix } from "../ui/fixing_note";
import { PostingForm } from "../ui/posting_form";
import type { PostingTraits } from "../ui/posting_traits";
import { sortable, useFocusInList } from "../ui/sortable";

interface Slide {
  key: string;
  title: string;
  facts: string;
  changed: boolean;
}

interface Traits extends PostingTraits {
  slides: Slide[];
  thumbs: Record<string, DataView>;
  can_fit: boolean;
}

const KIND = "application/x-wonda-slide";
const MIN_SLIDES = 2;

export function CarouselForm() {
  const panel = usePanel<Traits>();
  const list = useRef<HTMLOListElement>(null);
  useFocusInList(list, () => null);
  const slides = panel.get("slides");
  const thumbs = panel.get("thumbs");
  return (
    <PostingForm
      head={
        <div class="wonda-gallery-bar">
          <h3>Publish a carousel to Instagram</h3>
          <span class="wonda-gap" />
          <CloseButton />
        </div>
      }
      above={
        <ol class="wonda-slides" ref={list} aria-label="Images in order">
          {slides.map((slide, index) => (
            <SlideTile
              key={slide.key}
              slide={slide}
              index={index}
              total={slides.length}
              thumb={own(thumbs, slide.key)}
            />
          ))}
        </ol>
      }
      rows={<Checks />}
      image={
        <div class="wonda-summary-strip">
          {slides.map(({ key }) => (
            <SummaryImage key={key} thumb={own(thumbs, key)} />
          ))}
        </div>
      }
      reason=""
      content={() => ({})}
      words={{
        publish: "Publish",
        act: "posting",
        confirm: "Publish now",
        what: `A carousel of ${slides.length} images`,
        when: "",
        facts: [`carousel of ${slides.length}`],
        repeated: "These images were already posted.",
      }}
    />
  );
}

function SummaryImage({ thumb }: { thumb: DataView | undefined }) {
  return <img src={useObjectUrl(thumb, "image/jpeg") || undefined} alt="" />;
}

/** What Instagram will probably reject, and a fix for all images. */
function Checks() {
  const panel = usePanel<Traits>();
  const titleId = useUid("checks");
  const results = panel.get("check_results");
  const free = useCanFix();
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be a flex box everywhere
    <div class="wonda-checks" role="group" aria-labelledby={titleId} hidden={!results.length}>
      <h3 id={titleId}>Before you post</h3>
      <ul class="wonda-points">
        {results.map((result) => (
          <CheckLine key={result.title} result={result} />
        ))}
      </ul>
      <div class="wonda-buttons">
        <Button
          small
          off={!free}
          hidden={!panel.get("can_fit")}
          onPress={() => panel.send({ type: "fit", media_id: panel.peek("media_id") })}
        >
          Fit all images
        </Button>
        <LinkButton
          off={!free}
          hidden={!panel.get("slides").some(({ changed }) => changed)}
          onPress={() => panel.send({ type: "original" })}
        >
          Revert to originals
        </LinkButton>
      </div>
      <FixingNote />
    </div>
  );
}

interface TileProps {
  slide: Slide;
  index: number;
  total: number;
  thumb: DataView | undefined;
}

function SlideTile({ slide, index, total, thumb }: TileProps) {
  const panel = usePanel<Traits>();
  const url = useObjectUrl(thumb, "image/jpeg");
  const { key, title, facts } = slide;
  const free = useCanFix();
  const indexOf = () => panel.peek("slides").findIndex((other) => other.key === key);
  const move = (moved: string, to: number) => {
    const slides = panel.peek("slides"); // a tile of another form may be dropped here
    const isKnown = slides.some((other) => other.key === moved);
    const mayMove = panel.peek("step") === "editing" && !panel.peek("fixing") && isKnown;
    if (mayMove && to >= 0 && to < slides.length) panel.send({ type: "move", key: moved, to });
  };
  const named = (action: string) => `${action}: image ${index + 1}, ${title}`;
  return (
    <li
      class="wonda-slide"
      title={title}
      {...sortable(KIND, key, (other) => move(other, indexOf()))}
    >
      <div class="wonda-slide-image">
        <img
          src={url || undefined}
          hidden={!url}
          // biome-ignore lint/a11y/noRedundantAlt: it names the position, not the content
          alt={`Image ${index + 1} of ${total}: ${title}`}
          draggable={false}
        />
        <span class="wonda-slide-number" aria-hidden="true">
          {index + 1}
        </span>
      </div>
      <span class="wonda-slide-facts">{facts || "…"}</span>
      <div class="wonda-slide-buttons">
        <Button
          small
          repeats
          off={!free || index === 0}
          label={named("Move left")}
          onPress={() => move(key, indexOf() - 1)}
        >
          ‹
        </Button>
        <Button
          small
          off={!free || total <= MIN_SLIDES}
          className="wonda-remove"
          label={named("Remove")}
          onPress={() => panel.send({ type: "remove", key })}
        >
          ×
        </Button>
        <Button
          small
          repeats
          off={!free || index === total - 1}
          label={named("Move right")}
          onPress={() => move(key, indexOf() + 1)}
        >
          ›
        </Button>
      </div>
    </li>
  );
}
