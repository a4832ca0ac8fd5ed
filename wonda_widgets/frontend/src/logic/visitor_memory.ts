// What a browser tab stores about a visitor of a dashboard.

const KEY = "wonda-visitor";
const MAX_PROCESSES = 50;

export interface VisitorMemory {
  /** The visitor's earlier kernels. */
  processes: string[];
  /** The text of the forms. */
  draft: Record<string, unknown>;
}

/** Read what is stored; a private window may store nothing. */
export function readMemory(): VisitorMemory {
  try {
    const { processes, draft } = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    return { processes: Array.isArray(processes) ? processes : [], draft: draft ?? {} };
  } catch {
    return { processes: [], draft: {} };
  }
}

/** Change what is stored; without storage, everything works except restoring the session. */
export function writeMemory(changes: Partial<VisitorMemory>): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ ...readMemory(), ...changes }));
  } catch {
    // See above.
  }
}

/** Remember a kernel of the visitor. */
export function rememberProcess(process: string): void {
  writeMemory({ processes: [...readMemory().processes, process].slice(-MAX_PROCESSES) });
}
