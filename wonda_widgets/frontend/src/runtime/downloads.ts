// Files that the kernel sends to one view, for the browser to save.

import { download } from "./bytes";
import { useMessages } from "./context";

/** Save the files that the kernel sends to a view. */
export function useDownloads(viewId: string): void {
  useMessages((content, buffers) => {
    if (content.type === "download" && content.view === viewId)
      download(String(content.name), String(content.mime), buffers[0]);
  });
}
