// The alert of a panel.

import type { ComponentChildren } from "preact";
import { usePanel } from "../runtime/context";

/** Show the panel's error, if there is one, with `children` (such as buttons) below it. */
export function AlertBox({ children }: { children?: ComponentChildren }) {
  const error = usePanel().get("error");
  return (
    <div class="wonda-alert" role="alert" hidden={!error}>
      <p>
        <strong>{error?.title ?? ""}</strong> <span>{error?.text ?? ""}</span>
      </p>
      {children}
    </div>
  );
}
