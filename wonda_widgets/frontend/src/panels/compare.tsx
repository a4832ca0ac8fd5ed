// `Compare`: two to four images side by side, or two under a slider.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { own } from "../logic/own";
import { ViewState } from "../logic/view_state";
import { objectUrl, revoke } from "../runtime/bytes";
import { useMessages, usePanel, useUid } from "../runtime/context";
import { classes } from "../runtime/dom";
import { AlertBox } from "../ui/alert";
import { Button, CloseButton } from "../ui/button";
import { Player } from "../ui/player";
import { Viewer, ZoomButtons } from "../ui/viewer";

interface Row {
  label: string;
  values: string[];
  differs: boolean;
}

interface Traits {
  shown: string[];
  titles: string[];
  prompts: string[];
  rows: Row[];
  slider: boolean;
  videos: boolean;
  actions: { name: string; label: string; images_only: boolean }[];
}

/** A large image, or why there is none. */
type Large = { url: string; reason: string };

export function Compare() {
  const panel = usePanel<Traits>();
  const view = useMemo(() => new ViewState(), []);
  const count = panel.get("shown").length;
  const isSliding = panel.get("slider") && count === 2;
  return (
    <>
      <div class="wonda-gallery-bar">
        <h3>Compare</h3>
        <span class="wonda-gap" />
        <Button
          small
          hidden={count !== 2 || panel.get("videos")}
          pressed={isSliding}
          onPress={() => panel.set({ slider: !panel.peek("slider") })}
        >
          Slider
        </Button>
        <ZoomButtons view={view} hidden={!count || panel.get("videos")} />
        <CloseButton />
      </div>
      <div class="wonda-compare-body" data-count={count} hidden={!count}>
        {panel.get("videos") ? <VideoStage /> : <Stage view={view} isSliding={isSliding} />}
        <div class="wonda-compare-about">
          <Table />
        </div>
      </div>
      <p class="wonda-empty" hidden={count > 0}>
        Select two to four images to compare.
      </p>
      <AlertBox />
    </>
  );
}

/** The images, which zoom and move in sync. */
function Stage({ view, isSliding }: { view: ViewState; isSliding: boolean }) {
  const panel = usePanel<Traits>();
  const viewId = useUid("view");
  const shown = panel.get("shown");
  const titles = panel.get("titles");
  const prompts = panel.get("prompts");
  const large = useSignal<Record<string, Large>>({});
  const ratio = useSignal(0); // the largest width divided by height
  const split = useSignal(50); // percent of the left image that is shown
  const stage = useRef<HTMLDivElement>(null);
  const range = useRef<HTMLInputElement>(null);

  useMessages((content, buffers) => {
    if (content.type !== "large" || content.view !== viewId) return;
    const key = String(content.key);
    revoke(large.peek()[key]?.url);
    const reason = String(content.reason ?? "");
    const url = reason ? "" : objectUrl(buffers[0], String(content.mime));
    large.value = { ...large.peek(), [key]: { url, reason } };
  });
  useEffect(() => {
    view.reset();
    ratio.value = 0;
    for (const key of shown) panel.send({ type: "look", key, view: viewId });
    return () => {
      for (const { url } of Object.values(large.peek())) revoke(url);
      large.value = {};
    };
  }, [shown, view, ratio, large, panel, viewId]);

  // Dragging moves the slider, or the images if they are zoomed in.
  const isDragging = useRef(false);
  const drag = (event: PointerEvent) => {
    const box = stage.current?.getBoundingClientRect();
    if (!isDragging.current || !box) return;
    const at = (100 * (event.clientX - box.left)) / box.width;
    split.value = Math.min(100, Math.max(0, at));
  };
  const endDrag = () => {
    isDragging.current = false;
  };
  return (
    <div
      ref={stage}
      class={classes("wonda-compare-stage", isSliding && "wonda-sliding")}
      style={{
        "--wonda-split": `${split}%`,
        // With the slider, the images fill the stage, so that their edges coincide with its ends.
        "--wonda-ratio": ratio.value ? String(ratio.value) : undefined,
      }}
      onPointerDown={(event) => {
        isDragging.current =
          event.button === 0 && isSliding && !view.isZoomed && event.target !== range.current;
        drag(event);
      }}
      onPointerMove={drag}
      onPointerUp={endDrag}
      onPointerCancel={endDrag}
    >
      {shown.map((key, index) => {
        const title = titles[index] ?? "";
        const image = own(large.value, key);
        return (
          <figure key={`${index} ${key}`}>
            <Viewer
              view={view}
              label={title}
              src={image?.url ?? ""}
              alt={prompts[index] || title}
              message={image ? image.reason : "Loading the image…"}
              onLoad={({ naturalWidth, naturalHeight }) => {
                ratio.value = Math.max(ratio.peek(), naturalWidth / naturalHeight);
              }}
            />
            <figcaption dir="auto">{title}</figcaption>
          </figure>
        );
      })}
      <i class="wonda-split-line" aria-hidden="true" hidden={!isSliding} />
      <input
        ref={range}
        type="range"
        class="wonda-split"
        min={0}
        max={100}
        step={0.5}
        value={split.value}
        hidden={!isSliding}
        aria-label="Share of the left image that is shown"
        aria-valuetext={`${Math.round(split.value)} percent`}
        onInput={(event) => {
          split.value = event.currentTarget.valueAsNumber;
        }}
      />
    </div>
  );
}

/** The videos, which play, pause and seek together. */
function VideoStage() {
  const panel = usePanel<Traits>();
  const shown = panel.get("shown");
  const titles = panel.get("titles");
  const players = useRef(new Map<string, HTMLVideoElement>());
  const isPlaying = useSignal(false);
  const time = useSignal(0); // seconds
  const length = useSignal(0); // seconds, of the longest
  const all = () => shown.map((key) => players.current.get(key)).filter((each) => !!each);
  const seek = (to: number) => {
    time.value = to;
    for (const video of all()) video.currentTime = Math.min(to, video.duration || to);
  };
  const toggle = () => {
    isPlaying.value = !isPlaying.peek();
    for (const video of all()) {
      if (isPlaying.peek()) video.play().catch(() => {});
      else video.pause();
    }
  };
  // The longest leads; those that are ahead or behind follow.
  useEffect(() => {
    const follow = () => {
      const videos = all();
      length.value = Math.max(0, ...videos.map(({ duration }) => duration || 0));
      const lead = videos.find(({ duration }) => duration === length.peek());
      if (!lead) return;
      time.value = lead.currentTime;
      for (const video of videos) {
        const at = Math.min(lead.currentTime, video.duration || 0);
        if (Math.abs(video.currentTime - at) > MAX_DRIFT) video.currentTime = at;
        if (video.duration > at && isPlaying.peek() && video.paused) video.play().catch(() => {});
      }
    };
    const timer = setInterval(follow, FOLLOW_INTERVAL);
    return () => clearInterval(timer);
  });
  return (
    <div class="wonda-compare-videos">
      <div class="wonda-compare-stage">
        {shown.map((key, index) => (
          <figure key={key}>
            <div class="wonda-viewer">
              <Player
                of={key}
                poster=""
                label={titles[index] ?? ""}
                controls={false}
                elementRef={(element) => {
                  if (element) players.current.set(key, element);
                  else players.current.delete(key);
                }}
              />
            </div>
            <figcaption dir="auto">{titles[index]}</figcaption>
          </figure>
        ))}
      </div>
      <div class="wonda-compare-controls">
        <Button small onPress={toggle}>
          {isPlaying.value ? "Pause" : "Play"}
        </Button>
        <input
          type="range"
          min={0}
          max={length.value || 1}
          step={0.01}
          value={time.value}
          aria-label="Position in all videos"
          aria-valuetext={`${time.value.toFixed(1)} of ${length.value.toFixed(1)} seconds`}
          onInput={(event) => seek(event.currentTarget.valueAsNumber)}
        />
        <span class="wonda-count">
          {time.value.toFixed(1)} / {length.value.toFixed(1)} s
        </span>
      </div>
    </div>
  );
}

const MAX_DRIFT = 0.15; // seconds
const FOLLOW_INTERVAL = 200; // milliseconds

const SIDES = ["left", "right"];

/** What differs, with the actions for each image. */
function Table() {
  const panel = usePanel<Traits>();
  const keys = panel.get("shown");
  const titles = panel.get("titles");
  const areVideos = panel.get("videos");
  const actions = panel.get("actions").filter((action) => !(action.images_only && areVideos));
  const isPair = titles.length === 2;
  const nameOf = (index: number) => (isPair ? (SIDES[index] ?? "") : String(index + 1));
  const heading = (title: string, index: number) =>
    isPair ? nameOf(index).replace(/^./, (letter) => letter.toUpperCase()) : title;
  return (
    <table class="wonda-compare-table">
      <thead>
        <tr>
          <th scope="col">
            <span class="wonda-unseen">What</span>
          </th>
          {titles.map((title, index) => (
            <th key={`${index} ${keys[index]}`} scope="col">
              {heading(title, index)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {panel.get("rows").map((row) => (
          <tr key={row.label} class={row.differs ? "wonda-differs" : ""}>
            <th scope="row">{row.label}</th>
            <Values row={row} />
          </tr>
        ))}
        {actions.length > 0 && titles.length > 0 && (
          <tr class="wonda-compare-acts">
            <th scope="row">
              <span class="wonda-unseen">Actions</span>
            </th>
            {titles.map((_, at) => (
              <td key={`${at} ${keys[at]}`}>
                <div class="wonda-buttons">
                  {actions.map(({ name, label }) => (
                    <Button
                      key={name}
                      small
                      label={`${label.replace("…", "")} ${nameOf(at)}`}
                      onPress={() => panel.send({ type: "act", name, key: keys[at] })}
                    >
                      {label}
                    </Button>
                  ))}
                </div>
              </td>
            ))}
          </tr>
        )}
      </tbody>
    </table>
  );
}

/** The values of a row: one cell if all images have the same. */
function Values({ row: { label, values, differs } }: { row: Row }) {
  if (!differs && values.length > 1 && label !== "Generated in")
    return (
      <td colSpan={values.length} dir="auto">
        {values[0] || "—"}
      </td>
    );
  return (
    <>
      {values.map((value, index) => (
        <td key={index} dir="auto">
          {differs ? <mark>{value || "—"}</mark> : <span>{value || "—"}</span>}
        </td>
      ))}
    </>
  );
}
