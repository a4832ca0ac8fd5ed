// A link to a page of the service or of Instagram.

const isWebAddress = (address: string | undefined): address is string =>
  /^https?:\/\//i.test(address ?? "");

/** A link; nothing unless the address is http or https. */
export function PostLink({ address, children }: { address?: string; children: string }) {
  if (!isWebAddress(address)) return null;
  return (
    <a href={address} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}
