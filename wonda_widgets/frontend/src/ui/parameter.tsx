// The control of one parameter of a model.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { choiceControl, numberProblem, type ParameterSpec } from "../logic/parameter";
import { hasFocus } from "../runtime/dom";
import { useTyped } from "../runtime/typed";
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
  useLayoutEffect(() => register(spec.name, () => optionOf(text)));
  const kind = choiceControl(
    spec,
    options.map(({ label }) => label),
  );
  const props = { options, value: text, onChange: (now: string) => onChange(optionOf(now)) };
  return (
    <Field name={`params.${spec.name}`} label={spec.label} help={spec.help} invalid={invalid}>
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
  useLayoutEffect(() => register(spec.name, () => Boolean(value)));
  return (
    <div class="wonda-field" data-field={`params.${spec.name}`}>
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

/** The text of a value; a number that could not be read has none. */
const textOf = (value: unknown): string =>
  value == null || Number.isNaN(value) ? "" : String(value);

/** A number or a text. */
function TypedValue({ spec, value, invalid, onChange, register }: ParameterProps) {
  const control = useRef<HTMLInputElement>(null);
  const isNumber = spec.kind !== "text";
  const isSlider = spec.kind === "slider";
  const text = useTyped(textOf(value), control);
  const problem = useSignal("");
  useLayoutEffect(() => {
    if (!hasFocus(control.current)) problem.value = ""; // the value was changed elsewhere
  }, [value, problem]);
  const read = () => {
    if (control.current?.validity.badInput) return Number.NaN;
    if (text.peek() === "") return undefined;
    return isNumber ? Number(text.peek()) : text.peek();
  };
  useLayoutEffect(() => register(spec.name, read));
  return (
    <Field
      name={`params.${spec.name}`}
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
