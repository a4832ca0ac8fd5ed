import "./time_zone";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cellOf,
  imageInNextRow,
  layOutAxes,
  placeInCell,
  windowsOf,
} from "../src/logic/axis_layout";
import {
  type Crop,
  centeredCrop,
  type Handle,
  moveCrop,
  paddedCanvas,
  SHAPES,
  type Size,
  shapeOf,
} from "../src/logic/crop";
import { shareAfter } from "../src/logic/estimate";
import { cardInNextRow, isCardRow, layOut, rowAt, rowOfCard } from "../src/logic/grid_layout";
import { addValues, parsePastedList } from "../src/logic/list_values";
import {
  choiceControl,
  type ParameterSpec,
  rangeSentence,
  valuesFor,
} from "../src/logic/parameter";
import { momentsOf, timeProblem, toInput, utcOffset } from "../src/logic/schedule";
import { formatSeconds, formatSpan } from "../src/logic/time";
import { MAX_ZOOM, ViewState } from "../src/logic/view_state";
import { countCharacters, plural } from "../src/logic/words";

// ---------------------------------------------------------------- durations

test("durations are formatted in the unit that fits", () => {
  const texts = [0, 0.9, 59.9, 60, 65, 3599, 3600, 7830].map(formatSeconds);
  assert.deepEqual(texts, [
    "0 s",
    "0 s",
    "59 s",
    "1 min 00 s",
    "1 min 05 s",
    "59 min 59 s",
    "1 h 00 min",
    "2 h 10 min",
  ]);
  assert.equal(formatSeconds(-3), "0 s");
});

test("a range of durations has one unit below a minute", () => {
  assert.equal(formatSpan(28.4, 54.2), "28–55 s");
  assert.equal(formatSpan(3, 3), "3 s");
  assert.equal(formatSpan(50, 130), "50 s – 2 min 10 s");
});

test("the estimate follows the curve and stays at its end", () => {
  const curve: [number, number][] = [
    [0, 0],
    [10, 0.5],
    [30, 0.9],
  ];
  assert.equal(shareAfter(curve, 0), 0);
  assert.equal(shareAfter(curve, 5), 0.25);
  assert.equal(shareAfter(curve, 20), 0.7);
  assert.equal(shareAfter(curve, 500), 0.9);
});

// ---------------------------------------------------------------- the grid

test("every card is in one row, below the heading of its group", () => {
  for (const width of [60, 300, 700, 1400]) {
    const groups = [
      { title: "a", count: 7 },
      { title: "", count: 0 },
      { title: "b", count: 13 },
    ];
    const { rows, count, height, columns, card } = layOut(groups, width, 0.8);
    assert.equal(count, 20);
    const cards = rows.filter(isCardRow);
    const indexes = cards.flatMap(({ first, count: n }) =>
      Array.from({ length: n }, (_, at) => first + at),
    );
    assert.deepEqual(
      indexes,
      Array.from({ length: 20 }, (_, at) => at),
    );
    assert.ok(cards.every((row) => row.count <= columns));
    assert.ok(columns === 1 || columns * card + (columns - 1) * 12 <= width);
    rows.forEach((row, at) => {
      const next = rows[at + 1];
      assert.ok(row.top + row.height <= (next?.top ?? height));
    });
  }
});

test("a whole group is in one row if its images are large enough", () => {
  assert.equal(layOut([{ title: "a", count: 4 }], 700, 1).columns, 4);
  assert.equal(layOut([{ title: "a", count: 100 }], 700, 1).columns, 3);
});

test("rows are found by position and by card", () => {
  const { rows } = layOut([{ title: "a", count: 50 }], 700, 1);
  rows.forEach((row, at) => {
    assert.equal(rowAt(rows, row.top), at);
    assert.equal(rowAt(rows, row.top + row.height - 1), at);
    if (isCardRow(row)) assert.equal(rowOfCard(rows, row.first), at);
  });
  assert.equal(rowAt(rows, -10), 0);
  assert.equal(rowAt(rows, 1e9), rows.length - 1);
  assert.equal(rowOfCard(rows, 50), -1);
});

test("arrow keys cross headings and stop at the ends", () => {
  const { rows, columns } = layOut(
    [
      { title: "a", count: 4 },
      { title: "b", count: 30 },
    ],
    700,
    1,
  );
  assert.equal(columns, 3);
  assert.equal(cardInNextRow(rows, 3, 1), 4);
  assert.equal(cardInNextRow(rows, 2, 1), 3); // the next row is shorter
  assert.equal(cardInNextRow(rows, 4, -1), 3);
  assert.equal(cardInNextRow(rows, 1, -1), 1);
  assert.equal(cardInNextRow(rows, 33, 1), 33);
});

// ---------------------------------------------------------------- zoom and pan

test("zoom keeps the point under the pointer", () => {
  const view = new ViewState();
  view.zoom(3, 0.2, -0.1);
  // The point (0.2, -0.1) of the image is shown at scale · (point − center).
  assert.ok(Math.abs(3 * (0.2 - view.x.value) - 0.2) < 1e-9);
  assert.ok(Math.abs(3 * (-0.1 - view.y.value) + 0.1) < 1e-9);
});

test("zoom and pan stay inside the image", () => {
  const view = new ViewState();
  view.zoom(1000);
  assert.equal(view.scale.value, MAX_ZOOM);
  view.pan(-1000, 1000);
  const most = (1 - 1 / MAX_ZOOM) / 2;
  assert.deepEqual([view.x.value, view.y.value], [most, -most]);
  view.zoom(1e-6);
  assert.deepEqual([view.scale.value, view.x.value + 0, view.y.value + 0], [1, 0, 0]);
});

// ---------------------------------------------------------------- crops

const SIZES: Size[] = [
  [1, 1],
  [774, 1376],
  [1080, 1350],
  [3000, 17],
  [2, 999],
];

test("a centered crop is inside the image and has the shape", () => {
  for (const size of SIZES)
    for (const [name, shape] of Object.entries(SHAPES)) {
      const crop = centeredCrop(size, shape);
      assert.ok(crop.x >= 0 && crop.y >= 0 && crop.width >= 1 && crop.height >= 1);
      assert.ok(crop.x + crop.width <= size[0] && crop.y + crop.height <= size[1]);
      const isLarge = Math.min(crop.width, crop.height) > 100;
      const ratio = crop.width / crop.height / (shape[0] / shape[1]);
      if (isLarge) assert.ok(Math.abs(ratio - 1) < 0.02, `${size} ${name}`);
    }
});

test("a padded canvas contains the image", () => {
  for (const size of SIZES)
    for (const shape of Object.values(SHAPES)) {
      const { width, height } = paddedCanvas(size, shape);
      assert.ok(width >= size[0] && height >= size[1]);
      assert.ok(width === size[0] || height === size[1]);
    }
});

test("a moved frame stays inside the image", () => {
  const handles: Handle[] = ["", "nw", "n", "ne", "e", "se", "s", "sw", "w"];
  const start: Crop = { x: 100, y: 50, width: 200, height: 300 };
  const size: Size = [400, 500];
  for (const handle of handles)
    for (const shape of [null, [4, 5] as Size])
      for (const [dx, dy] of [
        [-999, -999],
        [999, 999],
        [999, -999],
        [7, -3],
        [0, 0],
      ] as const) {
        const { x, y, width, height } = moveCrop(start, handle, dx, dy, size, shape);
        assert.ok(x >= 0 && y >= 0 && width >= 1 && height >= 1, `${handle} ${dx} ${dy}`);
        assert.ok(x + width <= 400 && y + height <= 500, `${handle} ${dx} ${dy}`);
        if (!handle) assert.deepEqual([width, height], [200, 300]);
        // The opposite corner does not move.
        if (handle === "nw") assert.deepEqual([x + width, y + height], [300, 350]);
        if (handle === "se") assert.deepEqual([x, y], [100, 50]);
      }
});

test("the shape of a size is found", () => {
  assert.equal(shapeOf({ width: 1080, height: 1350 }), "4:5");
  assert.equal(shapeOf({ width: 1080, height: 1351 }), undefined);
});

// ---------------------------------------------------------------- lists

test("a pasted list loses its bullets and numbers", () => {
  assert.deepEqual(parsePastedList("- a red kite\n- a crow"), ["a red kite", "a crow"]);
  assert.deepEqual(parsePastedList("1. one\r\n2. two\r\n\r\n10) ten"), ["one", "two", "ten"]);
  assert.deepEqual(parsePastedList("• [ ] dawn\n* dusk"), ["dawn", "dusk"]);
});

test("a pasted list keeps what belongs to its values", () => {
  assert.deepEqual(parsePastedList("35mm\n2. light\nfog"), ["35mm", "2. light", "fog"]);
  assert.deepEqual(parsePastedList("4:5\n1:1"), ["4:5", "1:1"]);
  assert.deepEqual(parsePastedList("-5\n-10"), ["-5", "-10"]);
  assert.deepEqual(parsePastedList("red, blue\ngreen"), ["red, blue", "green"]);
  assert.equal(parsePastedList("- only one line"), null);
});

test("values are added once, and doubles are reported", () => {
  assert.deepEqual(addValues(["a"], ["b", "b", "", undefined]), {
    values: ["a", "b"],
    double: undefined,
  });
  assert.deepEqual(addValues(["a"], ["a", "c"]), { values: ["a", "c"], double: "a" });
  const values = ["a"];
  assert.equal(addValues(values, ["a"]).values, values);
});

// ---------------------------------------------------------------- parameters

const spec = (more: Partial<ParameterSpec>): ParameterSpec => ({
  name: "x",
  label: "Steps",
  kind: "number",
  help: "",
  required: false,
  default: null,
  options: [],
  minimum: null,
  maximum: null,
  step: null,
  whole: false,
  ...more,
});

test("the sentence about a range has only the limits that exist", () => {
  assert.equal(rangeSentence(spec({ minimum: 1, maximum: 4 })), "Steps must be from 1 to 4.");
  assert.equal(rangeSentence(spec({ minimum: 0 })), "Steps must be at least 0.");
  assert.equal(rangeSentence(spec({ maximum: 9 })), "Steps must be at most 9.");
});

test("another model keeps the values that it accepts", () => {
  const fields = [
    spec({ name: "ratio", kind: "choice", options: ["1:1", "4:5"], default: "1:1" }),
    spec({ name: "steps", default: 20 }),
    spec({ name: "seed" }),
  ];
  assert.deepEqual(valuesFor(fields, { ratio: "4:5", steps: 7, other: 1 }), {
    ratio: "4:5",
    steps: 7,
  });
  assert.deepEqual(valuesFor(fields, { ratio: "9:16" }), { ratio: "1:1", steps: 20 });
});

test("a choice gets the control that suits its values", () => {
  const ratios = ["1:1", "4:5", "9:16", "16:9", "21:9"];
  assert.equal(choiceControl(spec({ options: ratios }), ratios), "shapes");
  assert.equal(choiceControl(spec({ options: ["1K", "2K"] }), ["1K", "2K"]), "segments");
  assert.equal(choiceControl(spec({ options: ["a"] }), ["a very long label"]), "select");
});

// ---------------------------------------------------------------- scheduling; TZ=Europe/Berlin

test("a local time has no moment when it is skipped, and two when it occurs twice", () => {
  assert.deepEqual(momentsOf("2026-03-29T02:30"), []);
  const twice = momentsOf("2026-10-25T02:30");
  assert.deepEqual(twice.map(utcOffset), ["+02:00", "+01:00"]);
  const [once, ...others] = momentsOf("2026-12-01T18:00");
  assert.equal(others.length, 0);
  assert.equal(once && toInput(once), "2026-12-01T18:00");
  assert.deepEqual(momentsOf("not a time"), []);
});

test("a time that cannot be used says why", () => {
  const now = new Date("2026-10-20T12:00:00+02:00");
  const problem = (text: string, occurrence = 0) => {
    const moments = momentsOf(text);
    const chosen = (moments.length > 1 ? moments[occurrence] : moments[0]) ?? null;
    return timeProblem(text, chosen, now);
  };
  assert.equal(problem("2026-10-21T12:00"), "");
  assert.match(timeProblem("", null, now), /^Choose a date and time/);
  assert.match(problem("2026-10-20T11:59"), /in the past/);
  assert.match(problem("2026-10-20T12:03"), /at least 5 minutes/);
  assert.match(problem("2026-11-20T12:03"), /at most 29 days/);
  assert.match(problem("2026-10-25T02:30", -1), /occurs twice/);
  assert.match(timeProblem("2026-03-29T02:30", null, now), /doesn’t exist/);
});

// ---------------------------------------------------------------- words

test("characters are counted as code points", () => {
  assert.equal(countCharacters("a👍é"), 3);
  assert.equal(plural(1, "post", "posts"), "1 post");
  assert.equal(plural(2, "job is", "jobs are"), "2 jobs are");
});

test("a grid with two axes skips empty cells and asks only for what is visible", () => {
  const grid = {
    rows: ["a", "b", "c"],
    columns: ["x", "y"],
    counts: [
      [2, 0],
      [0, 3],
      [1, 1],
    ],
  };
  const layout = layOutAxes(grid, 600, 1);
  assert.equal(layout.count, 7);
  assert.deepEqual(layout.starts, [
    [0, 2],
    [2, 2],
    [5, 6],
  ]);
  assert.deepEqual(cellOf(layout, 4), [1, 1, 2]);
  assert.deepEqual(cellOf(layout, 5), [2, 0, 0]);
  assert.equal(imageInNextRow(layout, 1, 1), 5, "the empty cell below is skipped");
  assert.equal(imageInNextRow(layout, 5, -1), 0);
  assert.equal(imageInNextRow(layout, 6, 1), 6, "there is no row below");
  assert.equal(imageInNextRow(layout, 4, 1), 6);
  assert.deepEqual(windowsOf(layout, [0, 2], [0, 0]), [
    [0, 2],
    [5, 6],
  ]);
  assert.deepEqual(windowsOf(layout, [1, 1], [0, 1]), [[2, 5]]);
  assert.deepEqual(windowsOf(layout, [0, 9], [0, 1]), [
    [0, 2],
    [2, 5],
    [5, 7],
  ]);
});

test("takes in a cell form lines, and keys move through them", () => {
  const grid = { rows: ["a", "b"], columns: ["x"], counts: [[6], [2]] };
  const layout = layOutAxes(grid, 400, 1);
  assert.equal(layout.across, 4);
  assert.equal(imageInNextRow(layout, 0, 1), 4);
  assert.equal(imageInNextRow(layout, 3, 1), 7, "the line below in this cell is shorter");
  assert.equal(imageInNextRow(layout, 5, 1), 7);
  assert.equal(imageInNextRow(layout, 7, -1), 5);
  assert.deepEqual(placeInCell(layout, 5), { left: layout.card + 4, top: layout.image + 4 });
  assert.ok((layout.heights[0] ?? 0) > 2 * layout.image);
});

test("a grid without axes has one cell, and an empty one none", () => {
  const layout = layOutAxes({ rows: [""], columns: [""], counts: [[3]] }, 500, 1.5);
  assert.equal(layout.label, 0);
  assert.equal(layout.count, 3);
  const empty = layOutAxes({}, 500, 1);
  assert.equal(empty.count, 0);
  assert.deepEqual(windowsOf(empty, [0, 5], [0, 5]), []);
  assert.deepEqual(cellOf(empty, 3), [0, 0, 0]);
});
