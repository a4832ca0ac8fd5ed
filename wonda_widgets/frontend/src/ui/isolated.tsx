// Text of a user or of the service inside a sentence.

/** Characters that end an isolation, or change the direction of the text around them. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

/** Text whose direction does not change that of the words around it. */
export function Isolated({ text }: { text: string }) {
  return <bdi>{text.replace(DIRECTIONS, "")}</bdi>;
}
