// The banner that says that nothing is real.

export function SandboxNote({ framed = false }: { framed?: boolean }) {
  const note = (
    <div class="wonda-sandbox" role="note">
      <strong>Sandbox</strong>
      <span>
        Results are stock placeholders that may not match the prompt, and nothing is published.
        <span class="wonda-for-makers">
          {" "}
          To use your own account, run <code>ww.connect()</code>
        </span>
      </span>
    </div>
  );
  return framed ? <div class="wonda wonda-sandbox-banner">{note}</div> : note;
}
