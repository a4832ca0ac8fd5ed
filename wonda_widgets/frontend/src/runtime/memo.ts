// Components that are rendered again only when their properties change.

import { Component, type ComponentType, h } from "preact";

/** As `memo` of React, without the rest of `preact/compat`. */
export function memo<P extends object>(Inner: ComponentType<P>): ComponentType<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const names = Object.keys({ ...this.props, ...next }) as (keyof P)[];
      return names.some((name) => (this.props as P)[name] !== next[name]);
    }

    override render() {
      return h(Inner as ComponentType<object>, this.props);
    }
  };
}
