// `Gallery`: images in a grid, to search, filter, rate, enlarge and select.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { useMessages, usePanel, useUid } from "../../runtime/context";
import { useFocusBefore } from "../../runtime/focus";
import { AlertBox } from "../../ui/alert";
import { Button } from "../../ui/button";
import { AxisGrid } from "./axis_grid";
import { CloseLook } from "./close_look";
import { CollectMenu, ZipButton } from "./collect";
import { FilterBar, useShownCount } from "./filter_bar";
import { Grid } from "./grid";
import { ImageStore } from "./image_store";
import { MatrixProgress } from "./matrix_progress";
import { SearchRow, useSearchWords } from "./search_row";
import type { GalleryTraits, Item } from "./traits";

const NARROWING = [
  "favorites",
  "rating",
  "rank",
  "approval",
  "model",
  "since",
  "until",
  "text",
] as const;

export function Gallery() {
  const panel = usePanel<GalleryTraits>();
  const viewId = useUid("view");
  const store = useMemo(() => new ImageStore(), []);
  const shown = useRef<number[]>([]);
  const active = useSignal(0);
  const focusRequest = useSignal(0);
  const enlarged = useSignal<Item | null>(null);
  const words = useSearchWords();
  const search = useRef<HTMLInputElement>(null);
  const group = useRef<HTMLSelectElement>(null);

  useSignalEffect(() => store.startRevision(panel.get("revision")));
  useMessages((content, buffers) =>
    store.receive(content, buffers, panel.peek("revision"), shown.current),
  );
  useEffect(() => () => store.end(), [store]);

  const focusCard = (index: number) => {
    active.value = index;
    focusRequest.value++;
  };
  const open = (index: number) => {
    const item = store.items.get(index);
    active.value = index;
    if (item?.state === "succeeded") enlarged.value = item;
  };
  const shownCount = useShownCount();
  const Arrangement = panel.get("arrangement") === "grid" ? AxisGrid : Grid;
  const isNarrowed =
    NARROWING.some((name) => panel.get(name)) || Object.keys(panel.get("filters")).length > 0;
  return (
    <>
      <MatrixProgress />
      <SearchRow words={words} inputRef={search} />
      <FilterBar groupRef={group} />
      <SelectionBar
        viewId={viewId}
        hidden={!shownCount}
        onCleared={() => focusCard(active.peek())}
      />
      <span class="wonda-note" role="status">
        {panel.get("note")}
      </span>
      <AlertBox />
      <Arrangement
        key={panel.get("arrangement")}
        store={store}
        viewId={viewId}
        active={active}
        focusRequest={focusRequest}
        hidden={!shownCount}
        shown={shown}
        open={open}
      />
      <div class="wonda-empty" hidden={shownCount > 0 || panel.get("state") !== "ready"}>
        <span>
          {isNarrowed
            ? "Nothing matches."
            : panel.get("searches")
              ? "What you generate appears here."
              : "Results appear here."}
        </span>
        <Button
          small
          hidden={!isNarrowed}
          onPress={() => {
            words.clear();
            panel.send({ type: "show_all" });
            (panel.peek("searches") ? search.current : group.current)?.focus();
          }}
        >
          Show all
        </Button>
      </div>
      <CloseLook store={store} viewId={viewId} item={enlarged} onClose={focusCard} />
    </>
  );
}

/** The number of selected images, and what can be done with them. */
function SelectionBar({
  viewId,
  hidden,
  onCleared,
}: {
  viewId: string;
  hidden: boolean;
  onCleared: () => void;
}) {
  const panel = usePanel<GalleryTraits>();
  const box = useRef<HTMLDivElement>(null);
  const keys = panel.get("selected_keys");
  const actions = panel.get("actions");
  // Explain why the button for several images is disabled: too many are selected.
  const widest = actions.reduce<(typeof actions)[number] | null>(
    (most, action) => (action.max_images > (most?.max_images ?? 1) ? action : most),
    null,
  );
  const isTooMany = widest && keys.length > widest.max_images;
  const focusBefore = useFocusBefore(box);
  useLayoutEffect(() => {
    if (focusBefore.current && !keys.length) onCleared();
  });
  return (
    <div class="wonda-buttons wonda-chosen-bar" ref={box} hidden={hidden}>
      {keys.length ? (
        <>
          <span class="wonda-chosen">{keys.length} selected</span>
          {actions.map(({ name, label, min_images: min, max_images: max, images_only }) => {
            const isForImages = images_only && panel.get("has_selected_video");
            const isOff = isForImages || keys.length < min || keys.length > max;
            const count = min === max ? `Select ${min}` : `Select ${min} to ${max}`;
            const range = isForImages ? "Select only images" : count;
            return (
              <Button
                key={name}
                small
                off={isOff}
                title={isOff ? range : undefined}
                onPress={() => panel.send({ type: "act", name, keys: panel.peek("selected_keys") })}
              >
                {label}
              </Button>
            );
          })}
          <CollectMenu />
          <ZipButton viewId={viewId} />
          <Button small onPress={() => panel.send({ type: "select", keys: [] })}>
            Clear
          </Button>
          {isTooMany && (
            <span class="wonda-count">
              {`${widest.label.replace("…", "")} accepts ${widest.min_images} to ${widest.max_images}.`}
            </span>
          )}
        </>
      ) : (
        <span class="wonda-count">
          <span class="wonda-key-hints">
            Click or press Space to select, Enter to enlarge, F to mark as a favorite.
          </span>
          <span class="wonda-touch-hints">Tap to select, tap again to enlarge.</span>
        </span>
      )}
    </div>
  );
}
