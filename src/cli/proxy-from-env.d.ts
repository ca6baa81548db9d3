declare module "proxy-from-env" {
  /** The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case, name for an address; empty: none. */
  export function getProxyForUrl(address: string): string;
}
