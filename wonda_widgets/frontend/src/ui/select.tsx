// Native selects, and segments drawn over one.

import type { Ref } from "preact";
import { useRef } from "preact/hooks";
import { classes } from "../runtime/dom";

export interface Option {
  value: string;
  label: string;
}

interface SelectProps {
  options: Option[];
  value: string;
  onChange: (value: string, control: HTMLSelectElement) => void;
  disabled?: boolean;
  hidden?: boolean;
  className?: string;
  elementRef?: Ref<HTMLSelectElement>;
  id?: string;
  "aria-label"?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
}

export function Select({ options, value, onChange, className, elementRef, ...rest }: SelectProps) {
  return (
    <select
      {...rest}
      ref={elementRef}
      class={classes("wonda-select", className)}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value, event.currentTarget)}
    >
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}

/** A select that acts: choosing an option calls `onChange`, and the first option is shown again. */
export function ActionSelect({ onChange, elementRef, ...rest }: Omit<SelectProps, "value">) {
  return (
    <Select
      {...rest}
      elementRef={elementRef}
      value=""
      onChange={(chosen, control) => {
        control.value = ""; // the same option can be chosen again
        if (chosen) onChange(chosen, control);
      }}
    />
  );
}

/** Segments drawn over a native select, which handles focus and keys and has the name. */
export function Segments({ options, value, onChange, ...rest }: Omit<SelectProps, "elementRef">) {
  const own = useRef<HTMLSelectElement>(null);
  return (
    <div class="wonda-over">
      <Select
        {...rest}
        options={options}
        value={value}
        onChange={onChange}
        elementRef={own}
        className="wonda-under"
      />
      <div class="wonda-segments" aria-hidden="true">
        {options.map((option) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the select below handles keys
          // biome-ignore lint/a11y/useKeyWithClickEvents: the select below handles keys
          <span
            key={option.value}
            class={classes(option.value === value && "wonda-on")}
            onClick={() => {
              if (rest.disabled) return;
              own.current?.focus({ preventScroll: true });
              if (own.current) onChange(option.value, own.current);
            }}
          >
            {option.label}
          </span>
        ))}
      </div>
    </div>
  );
}
