// The control of one parameter of a model.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { choiceControl, numberProblem, type ParameterSpec } from "../logic/parameter";
import { hasFocus } from "../runtime/dom";
import { ShapePicker } from "./choice";
import { Field } from "./field";
import { Segments, Select } from "./select";

export interface ParameterProps {
  spec: ParameterSpec;
  /** The current value; undefined for none. */
  value: unknown;
  /** The panel's error concerns this parameter. */
  invalid?: boolean;
  onChange: (value: unknown) => void;
  /** Registers a function that returns the value as typed now. */
  register: (name: string, read: () => unknown) => void;
}

export function Parameter(props: ParameterProps) {
  if (props.spec.kind === "choice") return <Choice {...props} />;
  if (props.spec.kind === "flag") return <Flag {...props} />;
  return <TypedValue {...props} />;
}

function Choice({ spec, value, invalid, onChange, register }: ParameterProps) {
  const options = spec.options.map((item) => ({ value: String(item), label: String(item) }));
  if (spec.default == null && !spec.required) options.unshift({ value: "", label: "default" });
  const text = String(value ?? options[0]?.value ?? "");
  const optionOf = (chosen: string) => spec.options.find((item) => String(item) === chosen);
  useEffect(() => register(spec.name, () => optionOf(text)));
  const kind = choiceControl(
    spec,
    options.map(({ label }) => label),
  );
  const props = { options, value: text, onChange: (now: string) => onChange(optionOf(now)) };
  return (
    <Field label={spec.label} help={spec.help} invalid={invalid}>
      {(control) =>
        kind === "shapes" ? (
          <ShapePicker control={control} {...props} />
        ) : kind === "segments" ? (
          <Segments {...control} {...props} />
        ) : (
          <Select {...control} {...props} />
        )
      }
    </Field>
  );
}

function Flag({ spec, value, invalid, onChange, register }: ParameterProps) {
  useEffect(() => register(spec.name, () => Boolean(value)));
  return (
    <div class="wonda-field">
      <label class="wonda-check">
        <input
          type="checkbox"
          checked={Boolean(value)}
          aria-invalid={invalid}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        <span>{spec.label}</span>
      </label>
      {spec.help && <p class="wonda-help">{spec.help}</p>}
    </div>
  );
}

const INPUT_TYPES: Record<string, string> = {
  slider: "range",
  number: "number",
  text: "text",
};

/** A number or a text. */
function TypedValue({ spec, value, invalid, onChange, register }: ParameterProps) {
  const control = useRef<HTMLInputElement>(null);
  const given = useSignal(value);
  given.value = value;
  const text = useSignal(String(value ?? ""));
  const problem = useSignal("");
  const isNumber = spec.kind !== "text";
  const isSlider = spec.kind === "slider";
  // What is being typed is not overwritten.
  useSignalEffect(() => {
    const next = String(given.value ?? "");
    if (!hasFocus(control.current) || isSlider) text.value = next;
  });
  const read = () => {
    if (control.current?.validity.badInput) return Number.NaN;
    if (text.peek() === "") return undefined;
    return isNumber ? Number(text.peek()) : text.peek();
  };
  useEffect(() => register(spec.name, read));
  return (
    <Field
      label={spec.label}
      help={spec.help}
      error={problem.value}
      invalid={invalid || undefined}
      aside={isSlider && <output class="wonda-count">{text}</output>}
    >
      {(attributes) => (
        <input
          {...attributes}
          ref={control}
          type={INPUT_TYPES[spec.kind] as "text"}
          class={isSlider ? "wonda-slider" : "wonda-input"}
          dir={spec.kind === "text" ? "auto" : undefined}
          min={spec.minimum ?? undefined}
          max={spec.maximum ?? undefined}
          step={isNumber ? (spec.step ?? "any") : undefined}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            problem.value = numberProblem(spec, event.currentTarget.validity);
          }}
          onChange={() => onChange(read())}
        />
      )}
    </Field>
  );
}
