// Who votes in a review: the browser's own ID, and a name if the person gives one.

const KEY = "wonda-person";

interface Person {
  id: string;
  name: string;
}

let fallback: Person | undefined; // for a private window, which may store nothing

/** The person at this browser; the ID is made at the first vote. */
export function readPerson(): Person {
  try {
    const { id = "", name = "" } = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (id) return { id: String(id), name: String(name) };
  } catch {
    // See `fallback`.
  }
  return fallback ?? newPerson();
}

/** Another person at this browser. */
export function newPerson(): Person {
  const person = { id: randomId(), name: "" };
  writePerson(person);
  return person;
}

/** Remember the person at this browser. */
export function writePerson(person: Person): void {
  fallback = person;
  try {
    localStorage.setItem(KEY, JSON.stringify(person));
  } catch {
    // See `fallback`.
  }
}

function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
