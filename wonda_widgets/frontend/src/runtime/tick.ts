// Components that count seconds.

import { useEffect, useState } from "preact/hooks";

const INTERVAL = 250; // milliseconds

/** Render the component again four times a second while `isRunning`. */
export function useTick(isRunning: boolean): void {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(() => tick((count) => count + 1), INTERVAL);
    return () => clearInterval(timer);
  }, [isRunning]);
}
