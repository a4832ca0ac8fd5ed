// A video with the browser's own controls.
//
// It plays from its address. If the browser cannot load that, the video comes through the kernel.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { revoke } from "../runtime/bytes";
import { useMessages, usePanel, useUid } from "../runtime/context";
import { loadVideo } from "../runtime/video_pieces";
import { Button } from "./button";

/** Milliseconds in which an address must respond; a blocked one may never respond. */
const PATIENCE = 30_000;

interface Props {
  /** The name of the video in the panel's messages. */
  of: string;
  poster: string;
  label: string;
  /** Whether the browser's controls are shown. */
  controls?: boolean;
  elementRef?: (element: HTMLVideoElement | null) => void;
}

export function Player({ of, poster, label, controls = true, elementRef }: Props) {
  const panel = usePanel();
  const view = useUid("player");
  const source = useSignal("");
  const note = useSignal("");
  const failed = useSignal("");
  const element = useRef<HTMLVideoElement | null>(null);
  const loading = useRef<{ stop: () => void } | null>(null);
  const patience = useRef<ReturnType<typeof setTimeout>>(undefined);

  const isLocal = () => source.peek().startsWith("blob:");
  const play = (address: string) => {
    revoke(isLocal() ? source.peek() : "");
    source.value = address;
  };
  const loadPieces = () => {
    clearTimeout(patience.current);
    if (loading.current) return;
    note.value = "Loading the video…";
    const { video, stop } = loadVideo({
      panel,
      of,
      view,
      onProgress: (text) => {
        note.value = `Loading the video: ${text}`;
      },
    });
    loading.current = { stop };
    video.then(
      (file) => {
        note.value = "";
        play(URL.createObjectURL(file));
      },
      (error: Error) => {
        loading.current = null;
        note.value = "";
        failed.value = error.message;
      },
    );
  };
  const start = () => {
    failed.value = "";
    loading.current?.stop();
    loading.current = null;
    play("");
    panel.send({ type: "play", of });
  };
  useMessages((content) => {
    if (content.of !== of) return;
    if (content.type === "video_failed" && content.view === view)
      failed.value = String(content.reason);
    if (content.type !== "video" || source.peek()) return;
    if (!content.address) loadPieces();
    else {
      play(String(content.address));
      patience.current = setTimeout(() => {
        // A browser that saves data may wait for a click before it loads anything.
        if (element.current?.networkState === HTMLMediaElement.NETWORK_LOADING) loadPieces();
      }, PATIENCE);
    }
  });
  useEffect(() => {
    start();
    return () => {
      clearTimeout(patience.current);
      loading.current?.stop();
      play("");
    };
  }, [of]);
  const onError = () => {
    if (!source.peek()) return;
    if (isLocal()) panel.send({ type: "unplayable", of, view });
    else loadPieces();
  };
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: a generated video has no captions */}
      <video
        ref={(video) => {
          element.current = video;
          elementRef?.(video);
        }}
        class="wonda-video"
        aria-label={label}
        src={source.value || undefined}
        poster={poster || undefined}
        controls={controls}
        loop
        playsInline
        preload="metadata"
        onLoadedMetadata={() => clearTimeout(patience.current)}
        onError={onError}
      />
      <p class="wonda-veil" role="status">
        {note.value}
      </p>
      {failed.value && (
        <div class="wonda-veil wonda-video-failed">
          <p role="alert">{failed.value}</p>
          <Button small onPress={start}>
            Try again
          </Button>
        </div>
      )}
    </>
  );
}
