// The model of another widget.

import type { AnyModel, Host } from "@anywidget/types";

const PATIENCE = 20_000; // milliseconds; a model that was closed never arrives

/** Find a model by its reference; fail if the kernel does not answer. */
export function findModel<T extends object = object>(
  host: Host,
  reference: string,
): Promise<AnyModel<T>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(reject, PATIENCE, "The kernel does not answer.");
    host
      .getModel<T>(reference)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
