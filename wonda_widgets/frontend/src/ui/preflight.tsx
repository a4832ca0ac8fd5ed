// What Instagram will probably reject, with fixes. A crop or added padding is previewed before it
// is applied; each view has its own preview.

import { type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useObjectUrl } from "../runtime/bytes";
import { usePanel, useUid } from "../runtime/context";
import { focusedElement, hasFocus } from "../runtime/dom";
import { useFocusBefore, useFocusLater } from "../runtime/focus";
import { isEscape, useHotkeys } from "../runtime/keys";
import { Button, LinkButton } from "./button";
import { CheckLine, type CheckResult, type Fix } from "./check_result";
import { FixingNote, useCanFix } from "./fixing_note";

interface Traits {
  check_results: CheckResult[];
  combined_fix: Partial<Fix>;
  media_id: string;
  is_edited: boolean;
  is_video: boolean;
  step: string;
  thumb: DataView;
}

/** A fix that is previewed, and the image that it is for. */
type Trial = Fix & { mediaId: string };

/** Whether a fix is previewed now. */
export function useTrial(): Signal<Trial | null> {
  return useSignal<Trial | null>(null);
}

export function Preflight({ trial }: { trial: Signal<Trial | null> }) {
  const panel = usePanel<Traits>();
  const titleId = useUid("checks");
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<Element | null>(null); // gets the focus back after the preview
  const color = useSignal("#ffffff");

  const isFree = useCanFix();
  const results = panel.get("check_results");
  const combined = panel.get("combined_fix");
  const isOutdated =
    trial.value &&
    (trial.value.mediaId !== panel.get("media_id") || panel.get("step") !== "editing");
  useLayoutEffect(() => {
    if (isOutdated) trial.value = null;
  }, [isOutdated, trial]);
  useKeptFocus(box, results);
  const focusLater = useFocusLater();

  const focusBox = () => box.current?.focus({ preventScroll: true });
  const send = (type: string, more: object = {}) => {
    const held = hasFocus(box.current);
    panel.send({ type, media_id: panel.peek("media_id"), ...more });
    // The pressed button may be removed; keep the focus near it.
    if (held) focusBox();
  };
  const begin = (fix: Fix) => {
    if (!fix.area) return send("fix", { key: fix.key });
    opener.current = box.current && focusedElement(box.current);
    if (panel.peek("is_video")) color.value = fix.area.color ?? color.value;
    trial.value = { ...fix, mediaId: panel.peek("media_id") };
  };
  const apply = () => {
    const fix = trial.peek();
    if (!fix) return;
    trial.value = null;
    send("fix", { key: fix.key, ...(fix.area?.kind === "pad" ? { color: color.peek() } : {}) });
  };
  const discard = () => {
    const button = opener.current as HTMLElement | null;
    focusLater(() => (button?.isConnected ? button : box.current)); // it may be hidden until then
    trial.value = null;
  };
  useHotkeys({
    matches: (event) => isEscape(event) && trial.peek() !== null,
    act: discard,
  });
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be a flex box everywhere
    <div
      class="wonda-checks"
      ref={box}
      role="group"
      aria-labelledby={titleId}
      tabIndex={-1}
      hidden={!results.length}
    >
      <h3 id={titleId}>Before you post</h3>
      {trial.value && !isOutdated && (
        <TrialView
          trial={trial.value}
          color={color}
          isFree={isFree}
          apply={apply}
          discard={discard}
        />
      )}
      <ul class="wonda-points">
        {results.map((result) => (
          <CheckLine key={result.title} result={result}>
            {result.fixes?.length
              ? result.fixes.map((fix) => (
                  <Button key={fix.key} small off={!isFree} onPress={() => begin(fix)}>
                    {fix.label}
                  </Button>
                ))
              : null}
          </CheckLine>
        ))}
      </ul>
      <Button
        small
        off={!isFree}
        hidden={!combined.key || !!trial.value}
        onPress={() => begin(combined as Fix)}
      >
        {combined.label ?? ""}
      </Button>
      <p class="wonda-changed" hidden={!panel.get("is_edited")}>
        {panel.get("is_video") ? "This video was edited." : "This image was edited."}
        <LinkButton off={!isFree} onPress={() => send("original")}>
          Revert to original
        </LinkButton>
      </p>
      <FixingNote />
    </div>
  );
}

/** If the focused button of a result is removed with it, focus the box. */
function useKeptFocus(box: RefObject<HTMLElement | null>, results: CheckResult[]): void {
  const held = useFocusBefore(box);
  useLayoutEffect(() => {
    if (held.current && !hasFocus(box.current)) box.current?.focus({ preventScroll: true });
  }, [results]);
}

function TrialView({
  trial,
  color,
  isFree,
  apply,
  discard,
}: {
  trial: Trial;
  color: Signal<string>;
  isFree: boolean;
  apply: () => void;
  discard: () => void;
}) {
  const panel = usePanel<Traits>();
  const url = useObjectUrl(panel.get("thumb"), "image/jpeg");
  const natural = useSignal(1); // width divided by height
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    box.current?.focus({ preventScroll: true });
    box.current?.scrollIntoView({ block: "nearest" });
  }, []);
  const { kind, x = 0, y = 0, width, height } = trial.area ?? CENTER;
  const isPad = kind === "pad";
  // Padding makes the canvas larger than the image; a crop is smaller.
  const inner = isPad ? { width: 1 / width, height: 1 / height } : { width: 1, height: 1 };
  const ratio = isPad ? (natural.value * width) / height : natural.value;
  const percent = (share: number) => `${100 * share}%`;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be a flex box everywhere
    <div
      class="wonda-trial"
      ref={box}
      role="group"
      aria-label={`${trial.label}: preview`}
      tabIndex={-1}
    >
      <div
        class="wonda-trial-canvas"
        data-kind={kind}
        aria-hidden="true"
        style={{ "--wonda-ratio": String(ratio), background: isPad ? color.value : "" }}
      >
        <img
          src={url || undefined}
          alt=""
          style={{ width: percent(inner.width), height: percent(inner.height) }}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => {
            natural.value = naturalWidth / (naturalHeight || 1) || 1;
          }}
        />
        <span
          class="wonda-rect"
          style={{
            left: percent(x),
            top: percent(y),
            width: percent(width),
            height: percent(height),
          }}
        />
      </div>
      <div class="wonda-buttons">
        <label class="wonda-trial-color" hidden={!isPad}>
          <input
            type="color"
            value={color.value}
            onInput={(event) => {
              color.value = event.currentTarget.value;
            }}
          />
          Color
        </label>
        <Button small primary off={!isFree} onPress={apply}>
          {trial.key === "combined" ? "Apply" : isPad ? "Apply padding" : "Apply crop"}
        </Button>
        <Button small onPress={discard}>
          Discard
        </Button>
      </div>
    </div>
  );
}

const CENTER = { kind: "crop", x: 0, y: 0, width: 1, height: 1 } as const;
