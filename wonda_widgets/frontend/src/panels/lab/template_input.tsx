// A text area in which placeholders are marked.

import { useRef } from "preact/hooks";
import type { Draft } from "../../runtime/draft";
import type { FieldControl } from "../../ui/field";

export function TemplateInput({
  control,
  draft,
}: {
  control: FieldControl;
  draft: Draft<HTMLTextAreaElement>;
}) {
  const marks = useRef<HTMLDivElement>(null);
  const parts = draft.text.value.split(/(\{\{|\}\}|\{[^{}]*\})/);
  return (
    <div class="wonda-marked">
      <div class="wonda-input wonda-marks" ref={marks} aria-hidden="true">
        {parts.map((part) => (/^\{[^{}]+\}$/.test(part) ? <mark>{part}</mark> : part))}
        {"\n"}
      </div>
      <textarea
        {...control}
        {...draft.control}
        class="wonda-input"
        rows={4}
        placeholder="A {subject} over the ocean, {light}, long lens"
        onScroll={(event) => {
          if (marks.current) marks.current.scrollTop = event.currentTarget.scrollTop;
        }}
      />
    </div>
  );
}
