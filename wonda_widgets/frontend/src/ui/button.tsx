// Buttons.

import type { ComponentChildren, Ref } from "preact";
import { useEffect, useState } from "preact/hooks";
import { copyText } from "../runtime/bytes";
import { usePanel } from "../runtime/context";
import { classes } from "../runtime/dom";

interface ButtonProps {
  children: ComponentChildren;
  onPress: (button: HTMLButtonElement) => void;
  /** Filled, for the next step; other buttons are outlined. */
  primary?: boolean;
  small?: boolean;
  /** Whether each click of a fast series counts; else the second of a double click is ignored. */
  repeats?: boolean;
  /**
   * Whether the button does nothing now. It is not `disabled`, which would move the focus to the
   * notebook.
   */
  off?: boolean;
  pressed?: boolean;
  hidden?: boolean;
  /** The accessible name, if it differs from the text. */
  label?: string;
  title?: string;
  /** For users of a notebook; a dashboard hides it. */
  forMakers?: boolean;
  className?: string;
  tabIndex?: number;
  describedBy?: string;
  elementRef?: Ref<HTMLButtonElement>;
}

export function Button(props: ButtonProps) {
  const { primary, small, off, repeats, forMakers } = props;
  return (
    <button
      type="button"
      ref={props.elementRef}
      class={classes(
        "wonda-button",
        primary && "wonda-primary",
        small && "wonda-small",
        forMakers && "wonda-for-makers",
        props.className,
      )}
      aria-disabled={off}
      aria-pressed={props.pressed}
      aria-label={props.label}
      aria-describedby={props.describedBy}
      title={props.title}
      hidden={props.hidden}
      tabIndex={props.tabIndex}
      onClick={(event) => {
        if (!off && (repeats || event.detail < 2)) props.onPress(event.currentTarget);
      }}
    >
      {props.children}
    </button>
  );
}

/** A button that looks like a link. */
export function LinkButton({
  children,
  onPress,
  off,
  disabled,
  hidden,
}: {
  children: ComponentChildren;
  onPress: () => void;
  off?: boolean;
  disabled?: boolean;
  hidden?: boolean;
}) {
  return (
    <button
      type="button"
      class="wonda-link"
      aria-disabled={off}
      disabled={disabled}
      hidden={hidden}
      onClick={() => !off && onPress()}
    >
      {children}
    </button>
  );
}

/** A close button, for a panel that another panel has opened. */
export function CloseButton() {
  const panel = usePanel();
  return (
    <Button small hidden={!panel.get("can_close")} onPress={() => panel.send({ type: "close" })}>
      Close
    </Button>
  );
}

const COPIED_DURATION = 1500; // milliseconds

/** A small button that copies a text and says so. */
export function CopyButton({
  children,
  text,
  elementRef,
  forMakers = true,
}: {
  children: string;
  text: () => string;
  forMakers?: boolean;
  elementRef?: Ref<HTMLButtonElement>;
}) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_DURATION);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button
      small
      forMakers={forMakers}
      elementRef={elementRef}
      onPress={async (button) => setCopied(await copyText(text(), button))}
    >
      {copied ? "Copied" : children}
    </Button>
  );
}
