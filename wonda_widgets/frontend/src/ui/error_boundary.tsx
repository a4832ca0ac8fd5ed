// An error while a panel is rendered: a message in its place instead of a blank.

import { Component, type ComponentChildren } from "preact";

export class ErrorBoundary extends Component<
  { children: ComponentChildren },
  { error: Error | null }
> {
  override state = { error: null };

  override componentDidCatch(error: Error): void {
    this.setState({ error });
    // biome-ignore lint/suspicious/noConsole: for a report of the error
    console.error(error);
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <div class="wonda-alert" role="alert">
        <p>
          <strong>This panel cannot be shown.</strong> Please report this:{" "}
          {String(this.state.error)}
        </p>
      </div>
    );
  }
}
