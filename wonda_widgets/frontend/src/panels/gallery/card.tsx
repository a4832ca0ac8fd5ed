// A card of the gallery: an image, or the state of its request.

import { classes } from "../../runtime/dom";
import { memo } from "../../runtime/memo";
import { Button } from "../../ui/button";
import type { Item } from "./traits";

/** The text on a card without an image. */
const STATE_TEXTS: Record<string, string> = {
  waiting: "pending",
  requested: "requested",
  running: "running",
  failed: "failed",
  lost: "status unavailable",
  unknown: "unknown",
};

export interface CardProps {
  index: number;
  item: Item | undefined;
  thumb: string;
  problem: string;
  isSelected: boolean;
  /** Whether the Tab key leads to this card. */
  isActive: boolean;
  /** Where it is in a row that does not lay out its cards, pixels. */
  left?: number;
  top?: number;
  /** Whether the caption and the title are below the image. */
  hasText: boolean;
  onClick: (index: number, event: MouseEvent) => void;
  onOpen: (index: number) => void;
  onFocus: (index: number) => void;
  onRetry: (key: string) => void;
}

function retryText({ state, price }: Item): string {
  if (state === "failed") return "Retry";
  if (state !== "unknown") return "";
  return `Not in my library: generate again${price ? ` (${price})` : ""}`;
}

function stateText(item: Item | undefined): string {
  if (!item) return "";
  if (item.state === "running") return item.status?.replace("in_progress", "running") || "sending";
  if (item.state === "failed" && item.status === "canceled") return "canceled";
  return STATE_TEXTS[item.state] ?? "";
}

function CardContent(props: CardProps) {
  const { index, item, isSelected } = props;
  const label = [
    item?.title,
    item?.caption,
    stateText(item),
    item && problemText(item, props.problem),
    item?.favorite && "favorite",
    item?.rating && `${item.rating} of 5 stars`,
    item?.rank && `rank ${item.rank}`,
    item?.approval,
  ];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid handles the keys of its cards
    // biome-ignore lint/a11y/useSemanticElements: a table cannot be laid out in virtual rows
    <div
      class={classes("wonda-card", isSelected && "wonda-on")}
      role="gridcell"
      tabIndex={props.isActive ? 0 : -1}
      title={item?.title}
      aria-selected={isSelected}
      aria-label={label.filter(Boolean).join(", ") || undefined}
      data-index={index}
      data-state={item?.state}
      style={
        props.left === undefined ? undefined : { left: `${props.left}px`, top: `${props.top}px` }
      }
      onClick={(event) => props.onClick(index, event)}
      onDblClick={() => props.onOpen(index)}
      onFocus={() => props.onFocus(index)}
    >
      {/* While it scrolls fast, most cards are gone before their item arrives. */}
      {item ? <Filled {...props} item={item} /> : <div class="wonda-card-image" />}
    </div>
  );
}

function Filled({ item, ...props }: CardProps & { item: Item }) {
  const thumb = item.state === "succeeded" ? props.thumb : "";
  const state = stateText(item);
  const problem = problemText(item, props.problem);
  const retry = retryText(item);
  const result = [item.rank && `#${item.rank}`, item.approval].filter(Boolean).join(" ");
  return (
    <>
      <div class="wonda-card-image">
        <img src={thumb || undefined} hidden={!thumb} alt="" draggable={false} decoding="async" />
        {!thumb && (
          <div class="wonda-card-state">
            {state && <strong>{state}</strong>}
            {item.state === "running" && (
              <div class="wonda-bar">
                <div />
              </div>
            )}
            {problem && <span class="wonda-card-why">{problem}</span>}
            {retry && (
              // biome-ignore lint/a11y/noStaticElementInteractions: keeps the click from the card
              // biome-ignore lint/a11y/useKeyWithClickEvents: keeps the click from the card
              <span onClick={(event) => event.stopPropagation()}>
                <Button small tabIndex={-1} onPress={() => props.onRetry(item.key)}>
                  {retry}
                </Button>
              </span>
            )}
          </div>
        )}
        {item.is_video && (
          <span class="wonda-card-length" aria-hidden="true">
            ▶ {item.length}
          </span>
        )}
        {result && (
          <span class="wonda-card-result" aria-hidden="true">
            {result}
          </span>
        )}
        {item.favorite && (
          <span class="wonda-card-star" aria-hidden="true">
            ★
          </span>
        )}
        {props.isSelected && (
          <span class="wonda-card-tick" aria-hidden="true">
            ✓
          </span>
        )}
      </div>
      {props.hasText && (
        <div class="wonda-card-text">
          {item.caption && (
            <span class="wonda-card-caption" dir="auto">
              {item.caption}
            </span>
          )}
          <span class="wonda-card-title" dir="auto">
            {item.title ?? ""}
          </span>
        </div>
      )}
    </>
  );
}

/** What is wrong with an item: its request's error, or why it has no thumbnail. */
function problemText({ error }: Item, reason: string): string {
  const { title = "", text = "" } = error ?? {};
  return `${title} ${text}`.trim() || reason;
}

export const Card = memo(CardContent);
