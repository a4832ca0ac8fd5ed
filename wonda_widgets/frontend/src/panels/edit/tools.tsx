// The settings of each tool. A tool shows an operation and reports the changed one.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { type Crop, centeredCrop, paddedCanvas, SHAPES, type Size } from "../../logic/crop";
import { usePanel } from "../../runtime/context";
import { useTyped } from "../../runtime/typed";
import { Field } from "../../ui/field";
import { Segments, Select } from "../../ui/select";
import { ShapeIcon } from "../../ui/shape_icon";
import { ColorField, NumberField, type Pick, Picks, Positions } from "./controls";
import type { EditTraits, Operation } from "./traits";

interface ToolProps {
  /** The operation to show; null for the tool's defaults. */
  operation: Operation | null;
  onChange: (values: Operation) => void;
}

const Row = ({ children }: { children: ComponentChildren }) => (
  <div class="wonda-row">{children}</div>
);

const shapePick = (value: string): Pick => ({
  value,
  label: value,
  icon: <ShapeIcon ratio={value === "1.91:1" ? "19:10" : value} />,
});
const SHAPE_PICKS = Object.keys(SHAPES).map(shapePick);
const CROP_PICKS: Pick[] = [
  { value: "free", label: "Free", icon: <i class="wonda-free" /> },
  { value: "original", label: "Original", icon: <i class="wonda-whole" /> },
  ...SHAPE_PICKS,
];

/** The crop of an operation; the whole image by default. */
export function cropOf(operation: Operation | null, [width, height]: Size): Crop {
  return { x: 0, y: 0, width, height, ...(operation as Partial<Crop> | null) };
}

/** The ratio that a crop shape keeps; null for a free one. */
export const ratioOf = (shape: string, size: Size): Size | null =>
  shape === "original" ? size : (SHAPES[shape] ?? null);

/** Crop: shapes and exact pixels; the frame is over the image. */
export function CropTool({
  operation,
  onChange,
  shape,
  setShape,
}: ToolProps & { shape: string; setShape: (shape: string) => void }) {
  const size = usePanel<EditTraits>().get("base_size");
  const crop = cropOf(operation, size);
  const { x, y, width, height } = crop;
  const set = (name: keyof Crop) => (value: number) => {
    setShape("free");
    onChange({ x, y, width, height, [name]: Number.isNaN(value) ? crop[name] : value });
  };
  return (
    <>
      <Picks
        label="Shape"
        picks={CROP_PICKS}
        value={shape}
        onPick={(picked) => {
          setShape(picked);
          const ratio = ratioOf(picked, size);
          onChange({ ...(ratio ? centeredCrop(size, ratio) : { x, y, width, height }) });
        }}
      />
      <Row>
        <NumberField label="X" value={x} onInput={set("x")} />
        <NumberField label="Y" value={y} onInput={set("y")} />
        <NumberField label="Width" min={1} value={width} onInput={set("width")} />
        <NumberField label="Height" min={1} value={height} onInput={set("height")} />
      </Row>
      <p class="wonda-help">Drag the frame, or move it with the arrow keys.</p>
    </>
  );
}

/** Pad: a shape or an exact canvas, and its color. */
export function PadTool({ operation, onChange }: ToolProps) {
  const size = usePanel<EditTraits>().get("base_size");
  const {
    width = size[0],
    height = size[1],
    color = "#ffffff",
  } = (operation ?? {}) as { width?: number; height?: number; color?: string };
  const set = (values: Operation) => onChange({ width, height, color, ...values });
  const shape = Object.keys(SHAPES).find((name) => {
    const canvas = paddedCanvas(size, SHAPES[name] ?? [1, 1]);
    return canvas.width === width && canvas.height === height;
  });
  return (
    <>
      <Picks
        label="Shape"
        picks={SHAPE_PICKS}
        value={shape}
        onPick={(picked) => set({ ...paddedCanvas(size, SHAPES[picked] ?? [1, 1]) })}
      />
      <Row>
        <NumberField
          label="Width"
          min={1}
          value={width}
          onInput={(value) => set({ width: value })}
        />
        <NumberField
          label="Height"
          min={1}
          value={height}
          onInput={(value) => set({ height: value })}
        />
        <ColorField label="Color" value={color} onInput={(value) => set({ color: value })} />
      </Row>
    </>
  );
}

/** Resize: the user types one side, and the other is computed. */
export function ResizeTool({ operation, onChange }: ToolProps) {
  const [wide, high] = usePanel<EditTraits>().get("base_size");
  const { width = wide, height = high } = (operation ?? {}) as { width?: number; height?: number };
  const proportional = (value: number, from: number, to: number, otherwise: number) =>
    value > 0 ? Math.max(1, Math.round((value * to) / from)) : otherwise;
  return (
    <>
      <Row>
        <NumberField
          label="Width"
          min={1}
          value={width}
          onInput={(value) =>
            onChange({ width: value, height: proportional(value, wide, high, height) })
          }
        />
        <NumberField
          label="Height"
          min={1}
          value={height}
          onInput={(value) =>
            onChange({ width: proportional(value, high, wide, width), height: value })
          }
        />
      </Row>
      <p class="wonda-help">Proportions are kept.</p>
    </>
  );
}

function Words({ value, onInput }: { value: string; onInput: (text: string) => void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const text = useTyped(value, area);
  return (
    <Field label="Text">
      {(control) => (
        <textarea
          {...control}
          ref={area}
          class="wonda-input"
          rows={2}
          dir="auto"
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            onInput(text.peek());
          }}
        />
      )}
    </Field>
  );
}

const MARGINS = ["Top", "Right", "Bottom", "Left"];

/** Text: content, position and style. */
export function TextTool({ operation, onChange }: ToolProps) {
  const panel = usePanel<EditTraits>();
  const { operation: _, ...values } = operation ?? panel.get("defaults").text ?? {};
  const set = (name: string) => (value: unknown) => onChange({ ...values, [name]: value });
  const font = String(values.fontFamily ?? "");
  const listed = panel.get("fonts");
  const fonts = font && !listed.includes(font) ? [font, ...listed] : listed;
  const number = (label: string, name: string, min: number, max: number, step: number | "any") => (
    <NumberField
      label={label}
      min={min}
      max={max}
      step={step}
      value={values[name]}
      onInput={set(name)}
    />
  );
  return (
    <>
      <Words value={String(values.text ?? "")} onInput={set("text")} />
      <div class="wonda-beside">
        <Positions value={values.position} onChange={set("position")} />
        <div class="wonda-tool">
          <Field label="Font">
            {(control) => (
              <Select
                {...control}
                options={fonts.map((value) => ({ value, label: value }))}
                value={font}
                onChange={set("fontFamily")}
              />
            )}
          </Field>
          <Row>
            {number("Font size, ×", "fontSizeScale", 0.1, 10, 0.1)}
            {number("Box width, %", "sizePercent", 10, 100, "any")}
          </Row>
        </div>
      </div>
      <Row>
        <ColorField label="Color" value={values.textColor} onInput={set("textColor")} />
        <ColorField label="Outline" value={values.strokeColor} onInput={set("strokeColor")} />
        {number("Outline, px", "strokeWidth", 0, 50, 0.5)}
      </Row>
      <fieldset class="wonda-field">
        <legend class="wonda-label-row">
          <strong>Margins, %</strong>
        </legend>
        <Row>{MARGINS.map((side) => number(side, `padding${side}`, 0, 50, "any"))}</Row>
      </fieldset>
    </>
  );
}

const FORMATS = [
  { value: "JPEG", label: "JPEG" },
  { value: "PNG", label: "PNG" },
  { value: "WEBP", label: "WebP" },
];
const DEFAULT_QUALITY = 90;

/** Format and quality. */
export function FormatTool({ operation, onChange }: ToolProps) {
  const defaults = usePanel<EditTraits>().get("defaults").encode ?? {};
  const { format = "JPEG", quality = DEFAULT_QUALITY } = (operation ?? defaults) as {
    format?: string;
    quality?: number;
  };
  return (
    <>
      <Field label="Format">
        {(control) => (
          <Segments
            {...control}
            options={FORMATS}
            value={format}
            onChange={(value) => onChange({ format: value, quality })}
          />
        )}
      </Field>
      <Field
        label="Quality"
        aside={<output class="wonda-count">{quality}</output>}
        hidden={format === "PNG"}
      >
        {(control) => (
          <input
            {...control}
            type="range"
            class="wonda-slider"
            min={1}
            max={100}
            value={quality}
            onInput={(event) => onChange({ format, quality: event.currentTarget.valueAsNumber })}
          />
        )}
      </Field>
    </>
  );
}
