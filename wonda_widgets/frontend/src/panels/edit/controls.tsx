// The controls of the tools.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { useUid } from "../../runtime/context";
import { classes } from "../../runtime/dom";
import { useTyped } from "../../runtime/typed";
import { Field } from "../../ui/field";

/** A number field; `onInput` receives NaN while the text is not a number. */
export function NumberField({
  label,
  value,
  onInput,
  min = 0,
  max,
  step = 1,
}: {
  label: string;
  value: unknown;
  onInput: (value: number) => void;
  min?: number;
  max?: number;
  step?: number | "any";
}) {
  const input = useRef<HTMLInputElement>(null);
  const text = useTyped(value == null || Number.isNaN(value) ? "" : String(value), input);
  return (
    <Field label={label}>
      {(control) => (
        <input
          {...control}
          ref={input}
          type="number"
          class="wonda-input"
          inputMode={step === 1 ? "numeric" : "decimal"}
          min={min}
          max={max}
          step={step}
          value={text.value}
          onInput={({ currentTarget }) => {
            text.value = currentTarget.value;
            const typed = currentTarget.valueAsNumber;
            onInput(step === 1 ? Math.round(typed) : typed);
          }}
        />
      )}
    </Field>
  );
}

let probe: CanvasRenderingContext2D | null = null;

/** A color as #rrggbb; the native control accepts no CSS names. */
function toHex(color: unknown): string {
  probe ??= document.createElement("canvas").getContext("2d");
  if (!probe) return "#000000";
  probe.fillStyle = "#000000";
  probe.fillStyle = String(color ?? "");
  return String(probe.fillStyle);
}

export function ColorField({
  label,
  value,
  onInput,
}: {
  label: string;
  value: unknown;
  onInput: (color: string) => void;
}) {
  return (
    <Field label={label}>
      {(control) => (
        <input
          {...control}
          type="color"
          class="wonda-input wonda-color"
          value={toHex(value)}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export interface Pick {
  value: string;
  label: string;
  icon: ComponentChildren;
}

const MAX_PICKS_IN_ROW = 5;

/** Toggle buttons of which one is pressed. */
export function Picks({
  label,
  picks,
  value,
  onPick,
}: {
  label: string;
  picks: Pick[];
  value: string | undefined;
  onPick: (value: string) => void;
}) {
  // Rows that are filled evenly.
  const rows = Math.ceil(picks.length / MAX_PICKS_IN_ROW);
  const columns = Math.ceil(picks.length / rows);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a visible legend
    <div
      class="wonda-picks"
      role="group"
      aria-label={label}
      style={{ "--wonda-columns": String(columns) }}
    >
      {picks.map((pick) => (
        <button
          key={pick.value}
          type="button"
          class={classes("wonda-shape", pick.value === value && "wonda-on")}
          aria-pressed={pick.value === value}
          onClick={() => onPick(pick.value)}
        >
          {pick.icon}
          <span>{pick.label}</span>
        </button>
      ))}
    </div>
  );
}

const ROWS = ["top", "center", "bottom"];
const COLUMNS = ["left", "center", "right"];
const POSITIONS = ROWS.flatMap((row) =>
  COLUMNS.map((column) => (row === column ? "center" : `${row}-${column}`)),
);

/** Nine positions as native radio buttons; arrow keys move between them. */
export function Positions({
  value,
  onChange,
}: {
  value: unknown;
  onChange: (position: string) => void;
}) {
  const name = useUid("position");
  return (
    <fieldset class="wonda-field wonda-places">
      <legend class="wonda-label-row">
        <strong>Position</strong>
      </legend>
      <div>
        {POSITIONS.map((position) => (
          <input
            key={position}
            type="radio"
            name={name}
            value={position}
            checked={position === value}
            aria-label={position.replace("-", " ")}
            title={position.replace("-", " ")}
            onChange={() => onChange(position)}
          />
        ))}
      </div>
    </fieldset>
  );
}
