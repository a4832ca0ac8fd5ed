// A label above a control, with space for a count, an explanation and a message.

import type { ComponentChildren } from "preact";
import { useUid } from "../runtime/context";

/** The attributes that connect a control with its label and messages. */
export interface FieldControl {
  id: string;
  "aria-describedby": string;
  "aria-invalid": boolean;
}

interface FieldProps {
  label: string;
  /** The name by which an error of the kernel refers to the field. */
  name?: string;
  /** Explains the field; always visible. */
  help?: string;
  /** Shown next to the label. */
  aside?: ComponentChildren;
  /** What is wrong with the value; empty if nothing is. */
  error?: string;
  /** Whether the value is wrong, if the message is shown elsewhere. */
  invalid?: boolean;
  hidden?: boolean;
  /** Shown before and after the control. */
  before?: ComponentChildren;
  after?: ComponentChildren;
  children: (control: FieldControl) => ComponentChildren;
}

export function Field({
  label,
  name,
  help,
  aside,
  error = "",
  invalid,
  hidden,
  ...props
}: FieldProps) {
  const id = useUid("field");
  const control = {
    id,
    "aria-describedby": help ? `${id}-help ${id}-message` : `${id}-message`,
    "aria-invalid": invalid ?? error !== "",
  };
  return (
    <div class="wonda-field" data-field={name} hidden={hidden}>
      <div class="wonda-label-row">
        <label for={id}>{label}</label>
        {aside}
      </div>
      {props.before}
      {props.children(control)}
      {props.after}
      {help && (
        <p class="wonda-help" id={`${id}-help`}>
          {help}
        </p>
      )}
      <p class="wonda-field-error" id={`${id}-message`} hidden={!error}>
        {error}
      </p>
    </div>
  );
}
