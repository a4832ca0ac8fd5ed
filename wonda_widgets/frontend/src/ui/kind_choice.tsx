// Whether images or videos are generated; shown if the service offers both.

import type { ModelSpec } from "../logic/parameter";
import { Field } from "./field";
import { Segments } from "./select";

type Kind = ModelSpec["kind"];

const KINDS: { value: Kind; label: string }[] = [
  { value: "image", label: "Image" },
  { value: "video", label: "Video" },
];

export function KindChoice(props: {
  models: ModelSpec[];
  value: Kind;
  disabled: boolean;
  onChange: (kind: Kind) => void;
}) {
  const offered = KINDS.filter(({ value }) => props.models.some(({ kind }) => kind === value));
  if (offered.length < 2) return null;
  return (
    <Field label="Output">
      {(control) => (
        <Segments
          {...control}
          options={offered}
          value={props.value}
          disabled={props.disabled}
          onChange={(kind) => props.onChange(kind as Kind)}
        />
      )}
    </Field>
  );
}
