// A check result for an image or caption.

import type { ComponentChildren } from "preact";

/** A check result, see `widgets/_shared/preflight_panel.py`. */
export interface CheckResult {
  level: "miss" | "advice" | "fine";
  title: string;
  text: string;
  fixes?: Fix[];
}

/** A change that solves a problem; one with an `area` is previewed first. */
export interface Fix {
  key: string;
  label: string;
  area?: {
    kind: "crop" | "pad";
    x: number;
    y: number;
    width: number;
    height: number;
    /** Of the padding. */
    color?: string;
  } | null;
}

const MARKS = {
  miss: { sign: "!", word: "Problem: " },
  advice: { sign: "i", word: "Note: " },
  fine: { sign: "✓", word: "OK: " },
};

/** A check result, with `children` (such as buttons for its fixes) below it. */
export function CheckLine({
  result,
  children,
}: {
  result: CheckResult;
  children?: ComponentChildren;
}) {
  const { sign, word } = MARKS[result.level];
  return (
    <li data-level={result.level}>
      <span class="wonda-mark" aria-hidden="true">
        {sign}
      </span>
      <div>
        <p>
          <span class="wonda-unseen">{word}</span>
          <strong>{result.title}</strong> {result.text}
        </p>
        {children && <div class="wonda-buttons">{children}</div>}
      </div>
    </li>
  );
}
