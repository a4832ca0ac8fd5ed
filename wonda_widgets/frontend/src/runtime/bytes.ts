// Images and files that arrive as bytes.

import { useLayoutEffect, useMemo } from "preact/hooks";

/** Bytes as ipywidgets delivers them. */
export type Bytes = DataView | ArrayBuffer | null | undefined;

export const hasBytes = (data: Bytes): data is DataView | ArrayBuffer =>
  (data?.byteLength ?? 0) > 0;

/** Create an object URL for bytes; return "" if there are none. */
export function objectUrl(data: Bytes, type: string): string {
  if (!hasBytes(data)) return "";
  return URL.createObjectURL(new Blob([data as BlobPart], { type }));
}

/** An object URL for bytes, which is revoked when the bytes change or the component is removed. */
export function useObjectUrl(data: Bytes, type: string): string {
  const url = useMemo(() => objectUrl(data, type), [data, type]);
  useLayoutEffect(() => () => revoke(url), [url]);
  return url;
}

export const revoke = (url: string | undefined): void => {
  if (url) URL.revokeObjectURL(url);
};

/** Have the browser save a file. */
export function download(name: string, mime: string, data: Bytes): void {
  if (!hasBytes(data)) return; // the browser would save the page itself
  saveBlob(name, new Blob([data as BlobPart], { type: mime }));
}

/** Have the browser save a blob as a file. */
export function saveBlob(name: string, data: Blob): void {
  const address = URL.createObjectURL(data);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => revoke(address), 60_000);
}

/** Copy text, also on pages that are not served over HTTPS; return whether it worked. */
export async function copyText(text: string, near: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.className = "wonda-unseen";
    near.after(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    near.focus();
    return isCopied;
  }
}
