// A text field with a live character count and a limit.

import type { ComponentChildren } from "preact";
import { countCharacters } from "../logic/words";
import { usePanel } from "../runtime/context";
import { type Draft, useDraft } from "../runtime/draft";
import { Field, type FieldControl } from "./field";

type TextControl = HTMLInputElement | HTMLTextAreaElement;

/** A draft of a text with a limit. */
export interface LimitedDraft<C extends TextControl> extends Draft<C> {
  fits: boolean;
  count: number;
  limit: number;
}

/** Bind a text to the trait `name`, whose limit is in the trait `limits`. */
export function useLimitedDraft<C extends TextControl>(name: string): LimitedDraft<C> {
  const limits = usePanel<{ limits: Record<string, number> }>().get("limits");
  const limit = limits[name] ?? Number.POSITIVE_INFINITY;
  const draft = useDraft<C>(name);
  const count = countCharacters(draft.text.value);
  return { ...draft, count, limit, fits: count <= limit };
}

/** A field for such a draft. */
export function LimitedField<C extends TextControl>({
  label,
  draft,
  hidden,
  children,
}: {
  label: string;
  draft: LimitedDraft<C>;
  hidden?: boolean;
  children: (control: FieldControl & Draft<C>["control"]) => ComponentChildren;
}) {
  const { count, limit, fits } = draft;
  const over = count - limit;
  const characters = over === 1 ? "character" : "characters";
  return (
    <Field
      label={label}
      hidden={hidden}
      aside={
        <span class="wonda-count">
          {count.toLocaleString("en")} / {limit.toLocaleString("en")}
        </span>
      }
      error={fits ? "" : `Too long by ${over.toLocaleString("en")} ${characters}.`}
    >
      {(control) => children({ ...control, ...draft.control })}
    </Field>
  );
}
