// A choice of a few values: drawn shapes, segments, or a select.

import { classes } from "../runtime/dom";
import type { FieldControl } from "./field";
import { type Option, Select } from "./select";
import { ShapeIcon } from "./shape_icon";

/** The aspect ratios that are shown as drawings; the select next to them has all others. */
const DRAWN_RATIOS = ["9:16", "4:5", "1:1", "16:9"];

interface Props {
  control: FieldControl;
  options: Option[];
  value: string;
  onChange: (value: string) => void;
}

/** Common aspect ratios drawn as shapes, in front of a select with all of them. */
export function ShapePicker({ control, options, value, onChange }: Props) {
  const drawn = DRAWN_RATIOS.filter((ratio) => options.some((option) => option.value === ratio));
  // While a drawn shape is selected, the select shows "more"; its value is still correct.
  return (
    <div class="wonda-shapes">
      {drawn.map((ratio) => (
        <button
          key={ratio}
          type="button"
          class={classes("wonda-shape", ratio === value && "wonda-on")}
          aria-pressed={ratio === value}
          onClick={() => onChange(ratio)}
        >
          <ShapeIcon ratio={ratio} />
          <span>{ratio}</span>
        </button>
      ))}
      <span class={classes("wonda-more", !drawn.includes(value) && "wonda-on")}>
        <Select {...control} options={options} value={value} onChange={onChange} />
      </span>
    </div>
  );
}
