// `VideoPreview`: the player of a video.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { saveBlob, useObjectUrl } from "../runtime/bytes";
import { usePanel, useUid } from "../runtime/context";
import { loadVideo } from "../runtime/video_pieces";
import { Button } from "../ui/button";
import { MediaStage, type MediaTraits } from "../ui/media_stage";
import { Player } from "../ui/player";

const EXTENSIONS: Record<string, string> = { "video/quicktime": "mov", "video/webm": "webm" };

export function VideoPreview() {
  const panel = usePanel<MediaTraits>();
  const view = useUid("view");
  const poster = useObjectUrl(panel.get("data"), panel.get("mime_type"));
  const mediaId = panel.get("media_id");
  const isReady = panel.get("state") === "ready";
  const video = useRef<HTMLVideoElement | null>(null);
  const note = useSignal("");
  const download = () => {
    note.value = "Loading the video…";
    const onProgress = (text: string) => {
      note.value = `Loading the video: ${text}`;
    };
    loadVideo({ panel, of: mediaId, view, onProgress }).video.then(
      (file) => {
        note.value = "";
        saveBlob(`${mediaId || "video"}.${EXTENSIONS[file.type] ?? "mp4"}`, file);
      },
      (error: Error) => {
        note.value = error.message;
      },
    );
  };
  return (
    <>
      <MediaStage
        noun="video"
        isEmpty={!isReady}
        onDownload={download}
        actions={
          <Button
            small
            title="Shows the video in full screen"
            onPress={() => video.current?.requestFullscreen?.().catch(() => {})}
          >
            Open
          </Button>
        }
      >
        {isReady && (
          <Player
            key={mediaId}
            of={mediaId}
            poster={poster}
            label={panel.get("alt")}
            elementRef={(element) => {
              video.current = element;
            }}
          />
        )}
      </MediaStage>
      <p class="wonda-note" role="status">
        {note.value}
      </p>
    </>
  );
}
