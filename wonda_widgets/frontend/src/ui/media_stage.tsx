// The frame of an image or a video, and the line of facts and buttons below it.

import type { ComponentChildren } from "preact";
import { usePanel } from "../runtime/context";
import { classes } from "../runtime/dom";
import { AlertBox } from "./alert";
import { Button, CopyButton } from "./button";

/** The traits of `widgets/_shared/media_preview.py`. */
export interface MediaTraits {
  data: DataView | null;
  mime_type: string;
  alt: string;
  state: string;
  waiting: boolean;
  aspect_ratio: string;
  facts: string;
  media_id: string;
  saved: string;
}

/** Width divided by height of "4:5"; 1 if it is not a ratio. */
function ratioOf(text: string): number {
  const [wide = 0, high = 0] = (text || "1:1").split(":").map(Number);
  return wide > 0 && high > 0 ? wide / high : 1;
}

interface Props {
  noun: "image" | "video";
  isEmpty: boolean;
  /** The image or the player. */
  children: ComponentChildren;
  /** Buttons before those that both kinds have. */
  actions: ComponentChildren;
  onDownload: () => void;
}

export function MediaStage({ noun, isEmpty, children, actions, onDownload }: Props) {
  const panel = usePanel<MediaTraits>();
  const state = panel.get("state");
  const isReady = state === "ready";
  return (
    <>
      <div class={classes("wonda-stage", panel.get("waiting") && "wonda-waiting")}>
        <div
          class="wonda-frame"
          hidden={!isEmpty}
          style={{ "--wonda-ratio": String(ratioOf(panel.get("aspect_ratio"))) }}
        >
          <p>Your {noun} will appear here</p>
        </div>
        {children}
        <p class="wonda-veil" role="status">
          {state === "loading" ? `Loading the ${noun}…` : ""}
        </p>
      </div>
      <div class={classes("wonda-image-row", !isReady && "wonda-off")} inert={!isReady}>
        <span class="wonda-facts">{panel.get("facts")}</span>
        <span class="wonda-actions">
          {actions}
          <Button
            small
            title="Writes the original to the notebook’s folder"
            hidden={!panel.allows("save")}
            onPress={() => panel.send({ type: "save" })}
          >
            Save to folder
          </Button>
          <Button small title="Saves the original to this computer" onPress={onDownload}>
            Download
          </Button>
          <CopyButton text={() => panel.peek("media_id")}>Copy media ID</CopyButton>
        </span>
      </div>
      <p class="wonda-note wonda-saved">
        <span role="status">{panel.get("saved")}</span>
      </p>
      <AlertBox />
    </>
  );
}
