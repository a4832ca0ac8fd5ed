// The module that each panel sends to the browser: `static/loader.js`.
//
// It loads the code of all panels, which the kernel sends once, as a trait of another model.

import type { Host, Render } from "@anywidget/types";
import { findModel } from "./runtime/find_model";

interface Panels {
  mount: Render;
}

/** The bundle model, see `widgets/_shared/frontend.py`. */
interface BundleTraits {
  /** The code, compressed with gzip. */
  code: DataView;
}

// Every panel has a copy of this module, so what they share is at a well-known symbol.
const SHARED = Symbol.for("wonda_widgets.panels");
const page = globalThis as unknown as Record<symbol, Map<string, Promise<Panels>> | undefined>;

async function importBundle(host: Host, reference: string): Promise<Panels> {
  const bundle = await findModel<BundleTraits>(host, reference);
  const code = new Blob([bundle.get("code") as BlobPart]).stream();
  const text = await new Response(code.pipeThrough(new DecompressionStream("gzip"))).text();
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return await import(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Load the code of a version, once per page. */
async function loadPanels(host: Host, version: string, reference: string): Promise<Panels> {
  page[SHARED] ??= new Map();
  const shared = page[SHARED];
  for (let earlier = shared.get(version); earlier; earlier = shared.get(version))
    try {
      return await earlier;
    } catch {
      // It was loaded from another kernel, which has ended.
      if (shared.get(version) === earlier) shared.delete(version);
    }
  const loaded = importBundle(host, reference);
  shared.set(version, loaded);
  return loaded;
}

const render: Render = async (props) => {
  const { model, el, host, signal } = props;
  try {
    const panels = await loadPanels(host, model.get("_version"), model.get("_bundle"));
    if (!signal.aborted) return await panels.mount(props);
  } catch (error) {
    const message = document.createElement("p");
    message.setAttribute("role", "alert");
    message.textContent =
      "DecompressionStream" in globalThis
        ? "This panel could not be loaded. Run its cell again; if that does not help, restart " +
          `the kernel and reload the page. (${error})`
        : "This panel needs a newer browser: Chrome or Edge 111, Firefox 121, or Safari 16.4.";
    el.replaceChildren(message);
  }
};

export default { render };
