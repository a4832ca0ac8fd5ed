// `EditForm`: crop, pad, resize, text and format of one image.

import { useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { shapeOf } from "../../logic/crop";
import { hasBytes, useObjectUrl } from "../../runtime/bytes";
import { usePanel, useUid } from "../../runtime/context";
import { useDelivery } from "../../runtime/delivery";
import { classes, focusedElement, hasFocus, targetOf } from "../../runtime/dom";
import { isEscape, isSubmit, useHotkeys } from "../../runtime/keys";
import { AlertBox } from "../../ui/alert";
import { Button, CloseButton, CopyButton } from "../../ui/button";
import { CropFrame } from "./crop_frame";
import { ToolDraft } from "./draft";
import { CropTool, cropOf, FormatTool, PadTool, ResizeTool, ratioOf, TextTool } from "./tools";
import type { EditTraits, Operation, ToolName } from "./traits";

const TOOLS: [name: ToolName, label: string][] = [
  ["crop", "Crop"],
  ["pad", "Pad"],
  ["resize", "Resize"],
  ["text", "Text"],
  ["encode", "Format"],
];

export function EditForm() {
  const panel = usePanel<EditTraits>();
  const delivery = useDelivery();
  const draft = useMemo(() => new ToolDraft(panel), [panel]);
  const toolBox = useRef<HTMLDivElement>(null);
  const tabs = useRef(new Map<ToolName, HTMLButtonElement>());
  const shape = useSignal("free"); // of the crop
  useEffect(() => () => draft.drop(), [draft]);
  useSignalEffect(() => {
    panel.get("base_size");
    const open = panel.get("tool");
    const operation = panel.get("draft");
    const isEmpty = Object.keys(operation).length === 0;
    if (!draft.isWaiting) followShape(isEmpty ? null : operation);
    draft.follow(isEmpty ? null : operation, open);
  });

  /** Select the crop shape that fits a draft which was not made in this view. */
  function followShape(operation: Operation | null): void {
    if (panel.peek("tool") !== "crop" || !operation) shape.value = "free";
    else if (JSON.stringify(operation) !== JSON.stringify(draft.shown.peek()))
      shape.value = shapeOf(cropOf(operation, panel.peek("base_size"))) ?? "free";
  }

  const tool = panel.get("tool");
  const upload = panel.get("upload");
  const isSending = panel.get("step") === "sending";
  const hasDraft = draft.hasInput;
  const isFree =
    panel.get("state") === "ready" && panel.get("step") === "editing" && !delivery.waiting;
  const isUploaded = !!upload.media_id && !hasDraft;
  const isUsed = isUploaded && !!upload.in_use;
  const reason = reasonOf(panel.get("state"));

  function reasonOf(state: EditTraits["state"]): string {
    if (state === "empty") return "No image yet.";
    if (state !== "ready" || upload.media_id) return "";
    if (panel.get("draft_problem")) return "Fix the highlighted values first.";
    return !panel.get("changes").length && !hasDraft ? "No changes yet." : "";
  }

  const now = () => ({ operation: draft.take() ?? panel.peek("draft") });
  const focusTab = () => {
    const open = panel.peek("tool");
    if (open) tabs.current.get(open)?.focus();
  };
  const commit = (next: ToolName | "") => {
    if (!isFree || !panel.peek("tool")) return;
    const isInside = hasFocus(toolBox.current);
    delivery.send({ type: "apply", tool: next, ...now() });
    if (isInside) focusTab();
  };
  const leave = (): boolean => {
    const open = panel.peek("tool");
    if (!open || !isFree) return false;
    draft.discard();
    const tab = tabs.current.get(open);
    if (tab && focusedElement(tab) !== tab) tab.focus();
    delivery.send({ type: "cancel" });
    return true;
  };
  const choose = (name: ToolName) => {
    if (!isFree) return;
    if (tool === name) leave();
    else if (hasDraft) commit(name);
    else {
      draft.discard();
      panel.set({ tool: name, draft: {} });
    }
  };
  const canUndo = isFree && (panel.get("can_undo") || hasDraft);
  const canRedo = isFree && panel.get("can_redo") && !hasDraft;
  const act = (type: "undo" | "redo", can: boolean) => {
    if (!can) return;
    draft.flush();
    delivery.send({ type });
  };
  useHotkeys(
    {
      // While typing, this key undoes the typing.
      matches: (event) =>
        (event.ctrlKey || event.metaKey) &&
        event.key.toLowerCase() === "z" &&
        !targetOf(event).matches("textarea, input:is([type=text], [type=number])"),
      act: (event) => (event.shiftKey ? act("redo", canRedo) : act("undo", canUndo)),
    },
    { matches: isEscape, act: leave },
    { matches: isSubmit, act: () => (panel.peek("tool") ? commit("") : false) },
  );
  const canUse = isFree && !reason && !isUsed;
  const hint = isSending
    ? "Uploading…"
    : reason ||
      (isUsed || !isFree
        ? ""
        : isUploaded
          ? "Already uploaded; nothing will be sent again."
          : "Uploads a new image. The original is kept.");
  const hintId = useUid("hint");
  const change = (name: ToolName) => (values: Operation) => draft.change(name, values);
  const operation = draft.shown.value;
  return (
    <>
      <div class="wonda-edit-head">
        <h3>Edit image</h3>
        <span class="wonda-actions">
          <Button small off={!canUndo} onPress={() => act("undo", canUndo)}>
            Undo
          </Button>
          <Button small off={!canRedo} onPress={() => act("redo", canRedo)}>
            Redo
          </Button>
          <CloseButton />
        </span>
      </div>
      <div class="wonda-edit-grid">
        <div class="wonda-edit-stage">
          <Stage>
            <CropFrame
              crop={cropOf(operation, panel.get("base_size"))}
              size={panel.get("base_size")}
              shape={ratioOf(shape.value, panel.get("base_size"))}
              // Until the uncropped image is shown, the frame would be over a different image.
              hidden={
                tool !== "crop" || panel.get("shown_size").join() !== panel.get("base_size").join()
              }
              inert={isSending}
              onMove={(crop) => draft.change("crop", { ...crop })}
            />
          </Stage>
          <Facts />
        </div>
        <div class="wonda-edit-side">
          {/* biome-ignore lint/a11y/useSemanticElements: a toolbar, not a form group */}
          <div class="wonda-tabs" role="group" aria-label="Tools">
            {TOOLS.map(([name, label]) => (
              <button
                key={name}
                type="button"
                class="wonda-tab"
                ref={(element) => {
                  if (element) tabs.current.set(name, element);
                }}
                aria-pressed={name === tool}
                aria-disabled={!isFree}
                onClick={() => choose(name)}
              >
                {label}
              </button>
            ))}
          </div>
          {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be a grid everywhere */}
          <div
            class="wonda-tool-box"
            ref={toolBox}
            role="group"
            aria-label={`${TOOLS.find(([name]) => name === tool)?.[1] ?? ""} settings`}
            hidden={!tool}
            inert={isSending}
          >
            <div class="wonda-tool">
              {tool === "crop" && (
                <CropTool
                  operation={operation}
                  onChange={change("crop")}
                  shape={shape.value}
                  setShape={(name) => {
                    shape.value = name;
                  }}
                />
              )}
              {tool === "pad" && <PadTool operation={operation} onChange={change("pad")} />}
              {tool === "resize" && (
                <ResizeTool operation={operation} onChange={change("resize")} />
              )}
              {tool === "text" && <TextTool operation={operation} onChange={change("text")} />}
              {tool === "encode" && (
                <FormatTool operation={operation} onChange={change("encode")} />
              )}
            </div>
            <p class="wonda-field-error" role="status" hidden={!panel.get("draft_problem")}>
              {panel.get("draft_problem")}
            </p>
            <div class="wonda-buttons">
              <Button
                small
                off={!isFree || !hasDraft || !!panel.get("draft_problem")}
                onPress={() => commit("")}
              >
                Apply
              </Button>
              <Button small off={!isFree} onPress={leave}>
                Cancel
              </Button>
            </div>
          </div>
          <Changes />
          <div class="wonda-edit-go">
            <Button
              primary
              off={!canUse}
              describedBy={hintId}
              onPress={() => delivery.send({ type: "use", ...now() })}
            >
              Use this image
            </Button>
            <span class="wonda-price" id={hintId}>
              {hint}
            </span>
          </div>
          <p class="wonda-note" role="status">
            {delivery.note}
          </p>
          <div class="wonda-job" data-phase="running" hidden={!isSending}>
            <div class="wonda-bar" role="progressbar" aria-label="Uploading">
              <div />
            </div>
          </div>
          <div class="wonda-posted" role="status" hidden={!upload.media_id}>
            <p>
              <strong>Uploaded</strong> <span>as a new image: {upload.facts ?? ""}</span>
            </p>
            <CopyButton text={() => panel.peek("upload").media_id ?? ""}>Copy media ID</CopyButton>
          </div>
          <AlertBox />
        </div>
      </div>
    </>
  );
}

/** The image, with `children` over it. */
function Stage({ children }: { children: ComponentChildren }) {
  const panel = usePanel<EditTraits>();
  const url = useObjectUrl(panel.get("data"), panel.get("mime_type"));
  const isThere = hasBytes(panel.get("data"));
  const isLoading = panel.get("state") === "loading";
  const [wide, high] = panel.get("shown_size");
  return (
    <div class="wonda-stage">
      <div class="wonda-frame" hidden={isThere}>
        <p>The image to edit appears here</p>
      </div>
      <div
        class={classes("wonda-canvas", isLoading && "wonda-waiting")}
        hidden={!isThere}
        style={{ "--wonda-ratio": String(wide / high) }}
      >
        <img class="wonda-edit-image" src={url || undefined} alt={panel.get("alt")} />
        {children}
      </div>
      <p class="wonda-veil" role="status">
        {isLoading ? "Loading the image…" : ""}
      </p>
    </div>
  );
}

/** Size and format, now and originally. */
function Facts() {
  const panel = usePanel<EditTraits>();
  const facts = panel.get("facts");
  const original = panel.get("original_facts");
  return (
    <div class="wonda-image-row">
      <span class="wonda-facts">{facts}</span>
      <span class="wonda-facts">{original && original !== facts ? `from ${original}` : ""}</span>
    </div>
  );
}

function Changes() {
  const changes = usePanel<EditTraits>().get("changes");
  return (
    <div class="wonda-field">
      <div class="wonda-label-row">
        <strong>Changes</strong>
      </div>
      <p class="wonda-help" hidden={changes.length > 0}>
        None yet.
      </p>
      <ol class="wonda-changes">
        {changes.map((text, index) => (
          <li key={index}>{text}</li>
        ))}
      </ol>
    </div>
  );
}
