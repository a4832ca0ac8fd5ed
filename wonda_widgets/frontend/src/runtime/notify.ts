// Telling the user that something is done while they look elsewhere.

/** Ask for the permission to show notifications; only in response to a click. */
export function askToNotify(): void {
  if ("Notification" in globalThis && Notification.permission === "default")
    Notification.requestPermission().catch(() => {});
}

/** Show a notification if allowed; otherwise, mark the tab's title until the user comes back. */
export function notify(text: string, tag: string): void {
  if ("Notification" in globalThis && Notification.permission === "granted") {
    try {
      new Notification(text, { tag }); // several views of a panel show it only once
      return;
    } catch {
      // Chrome on Android has the class but not the constructor.
    }
  }
  if (!document.hasFocus()) markTitle(text);
}

function markTitle(text: string): void {
  const before = document.title;
  const marked = `${text} · ${before}`;
  if (before.startsWith(text)) return; // another view has marked it
  document.title = marked;
  const restore = () => {
    if (document.title === marked) document.title = before;
  };
  window.addEventListener("focus", restore, { once: true });
}
